#include "range.h"

#include "base/units.h"
#include "hostport.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const char NO_RANGE[] = "is neither an address nor a range as in "
    "10.0.0.0/8";

static bool
ip_parse(const char *text, size_t len, struct peer *peer)
{
	char ip[ADDR_TEXT];
	struct addr addr;

	if (len >= sizeof(ip))
		return false;
	memcpy(ip, text, len);
	ip[len] = '\0';
	if (addr_from_ip(&addr, ip, 0) < 0)
		return false;
	peer_from_sockaddr(peer, &addr.sa);
	return true;
}

static const char *
ip_text(uint16_t family, const uint8_t *ip, char *text)
{
	return inet_ntop(family, ip, text, INET6_ADDRSTRLEN);
}

/* --- what somebody meant who wrote no range */

static bool
is_digits(const char *text)
{
	return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static bool
means_everybody(const char *text)
{
	static const char *const words[] = { "any", "all", "*" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(text, words[i]) == 0)
			return true;
	return false;
}

/* How many bits a mask as 255.0.0.0 stands for, or -1. */
static int
mask_bits(const char *text)
{
	struct in_addr mask;
	uint32_t host;

	if (inet_pton(AF_INET, text, &mask) != 1)
		return -1;
	host = ~ntohl(mask.s_addr);
	return (host & (host + 1)) == 0 ? 32 - __builtin_popcount(host) : -1;
}

/* What is behind the slash is no number of bits that there are. */
static const char *
bits_wrong(const struct peer *peer, const char *text, const char *slash,
    char *why)
{
	bool six = memchr(text, ':', (size_t)(slash - text)) != NULL;
	int bits = mask_bits(slash + 1);
	char number_why[UNITS_WHY];
	uint64_t number;

	if (bits >= 0 && peer->family == AF_INET)
		snprintf(why, RANGE_WHY, "has a mask: write /%d", bits);
	else if (number_parse(slash + 1, &number, number_why) != NULL)
		return "needs a number of bits behind '/', as in 10.0.0.0/8";
	else if (six && number <= 128)
		snprintf(why, RANGE_WHY, "has fewer bits than ::ffff: at "
		    "least /96");
	else
		snprintf(why, RANGE_WHY, "has more bits than an address: at "
		    "most /%d", six ? 128 : 32);
	return why;
}

/* "10.0.0.1-10.0.0.9" and "10.0.0.1:80": an address, and more behind it. */
static const char *
text_wrong(const char *text)
{
	const char *dash = strchr(text, '-'), *colon = strrchr(text, ':');
	char why[HOSTPORT_WHY];
	struct hostport hp;
	struct peer peer;

	if (dash != NULL && ip_parse(text, (size_t)(dash - text), &peer))
		return "is no range: no FIRST-LAST; write ranges as ADDR/BITS";
	if (colon != NULL && is_digits(colon + 1) &&
	    ip_parse(text, (size_t)(colon - text), &peer))
		return "has a port: addresses only";
	if (host_parse(&hp, text, why) == NULL && hp.kind == HOST_NAME)
		return "is a name: addresses only, no names";
	return NO_RANGE;
}

static const char *
range_wrong(const char *text, const char *everybody, char *why)
{
	const char *slash = strchr(text, '/');
	struct peer peer;

	if (means_everybody(text)) {
		snprintf(why, RANGE_WHY, "is no range: write %s", everybody);
		return why;
	}
	if (*text == '[')
		return "is written without brackets";
	if (strpbrk(text, ", \t") != NULL)
		return "is more than one: write one a line";
	if (slash == NULL)
		return text_wrong(text);
	if (ip_parse(text, (size_t)(slash - text), &peer))
		return bits_wrong(&peer, text, slash, why);
	return NO_RANGE;
}

/* --- and who wrote one */

static const char *
host_bits_wrong(const struct prefix *prefix, const char *text, char *why)
{
	char range[INET6_ADDRSTRLEN], host[INET6_ADDRSTRLEN];
	size_t len = strcspn(text, "/");
	struct peer peer;

	if (text[len] == '\0' || !ip_parse(text, len, &peer) ||
	    memcmp(peer.ip, prefix->ip, sizeof(peer.ip)) == 0)
		return NULL;
	snprintf(why, RANGE_WHY, "has bits behind its range: write %s/%u or "
	    "%s", ip_text(prefix->family, prefix->ip, range), prefix->bits,
	    ip_text(peer.family, peer.ip, host));
	return why;
}

const char *
range_parse(struct prefix *prefix, const char *text, const char *everybody,
    char *why)
{
	if (prefix_parse(prefix, text) < 0)
		return range_wrong(text, everybody, why);
	return host_bits_wrong(prefix, text, why);
}

bool
range_is_all(const struct prefix *prefix)
{
	return prefix->family != AF_UNIX && prefix->bits == 0;
}
