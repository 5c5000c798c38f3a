#include "synonym.h"

#include <string.h>

static const struct synonym {
	const char *word, *key;
} SYNONYMS[] = {
	{ "accept_from", "allow" },
	{ "bandwidth", "bandwidth_to_client" },
	{ "bandwidth", "bandwidth_to_upstream" },
	{ "blacklist", "deny" },
	{ "blocklist", "deny" },
	{ "listen", "bind" },
	{ "maxconn", "max_sessions" },
	{ "max_connections", "max_sessions" },
	{ "proxy_protocol", "accept_proxy" },
	{ "proxy_protocol", "send_proxy" },
	{ "sni", "route" },
	{ "tfo", "fast_open" },
	{ "tls", "route" },
	{ "tproxy", "transparent" },
	{ "whitelist", "allow" },
};
#define SYNONYM_COUNT (sizeof(SYNONYMS) / sizeof(SYNONYMS[0]))

const char *
synonym_find(const char *word, size_t n)
{
	for (size_t i = 0; i < SYNONYM_COUNT; i++)
		if (strcasecmp(SYNONYMS[i].word, word) == 0 && n-- == 0)
			return SYNONYMS[i].key;
	return NULL;
}

bool
synonym_means(const char *word, const char *key)
{
	const char *meant;

	for (size_t n = 0; (meant = synonym_find(word, n)) != NULL; n++)
		if (strcmp(meant, key) == 0)
			return true;
	return false;
}
