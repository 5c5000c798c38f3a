/* The option type of "server = ADDR:PORT [name=N] [weight=N] [max_sessions=N]
 * [backup]". */
#include "rows.h"

#include "base/str.h"
#include "base/units.h"
#include "hostport.h"
#include "reader.h"

#include <stdio.h>
#include <string.h>

#define WEIGHT_MAX   1000
#define SESSIONS_MAX 10000000
#define SRV	     "srv:"

/* One server while its line is read. */
struct server_line {
	const struct setting *setting;
	struct server_conf    server;
};

struct attribute {
	const char *name; /* with the '=' of those that have a value */
	bool (*set)(struct server_line *, const char *value);
};

static bool
attribute_name(struct server_line *line, const char *value)
{
	struct arena *arena = line->setting->arena;
	size_t len = strlen(value);

	if (line->server.name != NULL)
		return setting_wrong(line->setting, ": second 'name='");
	if (len == 0 || !section_name_valid(value))
		return setting_wrong(line->setting, ": name= must be 1 to %d "
		    "of the letters A-Z a-z 0-9 _ -, not '%s'", SECTION_NAME,
		    value);
	line->server.name = arena_text(arena, value, len);
	return line->server.name != NULL;
}

static bool
attribute_weight(struct server_line *line, const char *value)
{
	char why[UNITS_WHY];
	uint64_t weight;

	if (line->server.weight != 0)
		return setting_wrong(line->setting, ": second 'weight='");
	if (number_parse(value, &weight, why) != NULL || weight == 0 ||
	    weight > WEIGHT_MAX)
		return setting_wrong(line->setting, ": weight= must be a "
		    "number from 1 to %d, not '%s'", WEIGHT_MAX, value);
	line->server.weight = weight;
	return true;
}

static bool
attribute_max_sessions(struct server_line *line, const char *value)
{
	char why[UNITS_WHY];
	uint64_t max;

	if (line->server.max_sessions != 0)
		return setting_wrong(line->setting, ": second "
		    "'max_sessions='");
	if (number_parse(value, &max, why) != NULL || max == 0 ||
	    max > SESSIONS_MAX)
		return setting_wrong(line->setting, ": max_sessions= must be a "
		    "number from 1 to %d, not '%s'", SESSIONS_MAX, value);
	line->server.max_sessions = max;
	return true;
}

static bool
attribute_backup(struct server_line *line, const char *value)
{
	(void)value;
	if (line->server.backup)
		return setting_wrong(line->setting, ": second 'backup'");
	line->server.backup = true;
	return true;
}

static const struct attribute ATTRIBUTES[] = {
	{ "name=", attribute_name },
	{ "weight=", attribute_weight },
	{ "max_sessions=", attribute_max_sessions },
	{ "backup", attribute_backup },
};
#define ATTRIBUTE_COUNT (sizeof(ATTRIBUTES) / sizeof(ATTRIBUTES[0]))

static bool
attribute_set(struct server_line *line, const char *word)
{
	struct str_guess guess = { 0 };
	size_t name = strcspn(word, "=");
	char typed[READER_LINE + 1];

	name += word[name] == '=';
	snprintf(typed, sizeof(typed), "%.*s", (int)name, word);
	for (size_t i = 0; i < ATTRIBUTE_COUNT; i++) {
		if (strcmp(typed, ATTRIBUTES[i].name) == 0)
			return ATTRIBUTES[i].set(line, word + name);
		str_guess_offer(&guess, typed, ATTRIBUTES[i].name);
	}
	if (guess.word != NULL)
		return setting_wrong(line->setting, ": unknown '%s'; did you "
		    "mean '%s'?", word, guess.word);
	return setting_wrong(line->setting, ": unknown '%s'; there are name=N, "
	    "weight=N, max_sessions=N and backup", word);
}

static const char *
address_wrong(const struct hostport *hp)
{
	if (hp->kind == HOST_NONE)
		return "needs an address or name before ':'";
	if (hp->kind != HOST_UNIX && hp->first != hp->last)
		return "must be one port";
	if (hp->kind != HOST_UNIX && hp->first == 0)
		return "needs a port from 1 to 65535";
	return NULL;
}

/* "srv:_SERVICE._tcp.DOMAIN": names and ports are for SRV records to say. */
static bool
service_set(struct server_line *line, const char *word)
{
	struct server_conf *server = &line->server;
	const char *name = word + strlen(SRV);
	char why[HOSTPORT_WHY];
	struct hostport hp;

	if (!SLUICE_CARES)
		return setting_wrong(line->setting, " '%s' needs c-ares, and "
		    "this build has none (sluice -V)", word);
	if (strchr(name, ':') != NULL)
		return setting_wrong(line->setting, " '%s' takes no port: the "
		    "SRV records have it", word);
	if (host_parse(&hp, name, why) != NULL || hp.kind != HOST_NAME)
		return setting_wrong(line->setting, " '%s' needs a name behind "
		    "'srv:', as in srv:_postgres._tcp.db.internal", word);
	server->srv = true;
	server->host = arena_text(line->setting->arena, name, strlen(name));
	return server->host != NULL;
}

static bool
address_set(struct server_line *line, const char *word)
{
	struct server_conf *server = &line->server;
	struct arena *arena = line->setting->arena;
	char why[HOSTPORT_WHY];
	struct hostport hp;
	const char *wrong;

	if (strncmp(word, SRV, strlen(SRV)) == 0)
		return service_set(line, word);
	if (strchr(word, ':') == NULL)
		wrong = "needs a port behind it, as in db1.internal:5432";
	else
		wrong = hostport_parse(&hp, word, why);
	if (wrong == NULL)
		wrong = address_wrong(&hp);
	if (wrong != NULL)
		return setting_wrong(line->setting, " '%s' %s", word, wrong);
	server->port = (uint16_t)hp.first;
	server->addr = hp.addr;
	if (hp.kind == HOST_NAME)
		server->host = arena_text(arena, hp.host, strlen(hp.host));
	return server->host != NULL || hp.kind != HOST_NAME;
}

static bool
server_append(const struct setting *setting, const struct server_conf *server)
{
	struct upstream_conf *upstream = setting->owner;
	struct server_conf *servers = arena_grow(setting->arena,
	    upstream->servers, upstream->nservers, sizeof(*servers));

	if (servers == NULL)
		return false;
	servers[upstream->nservers] = *server;
	upstream->servers = servers;
	upstream->nservers++;
	return true;
}

static bool
server_set(const struct setting *setting)
{
	struct server_line line = { setting, { .origin = setting->origin } };
	char words[READER_LINE + 1], *rest = NULL;
	const char *first, *word;

	snprintf(words, sizeof(words), "%s", setting->text);
	first = strtok_r(words, " \t", &rest);
	if (!address_set(&line, first))
		return false;
	while ((word = strtok_r(NULL, " \t", &rest)) != NULL) {
		if (!attribute_set(&line, word))
			return false;
	}
	if (line.server.srv && line.server.weight != 0)
		return setting_wrong(setting, ": weight= is for the SRV "
		    "records of '%s' to say", first);
	if (line.server.name == NULL)
		line.server.name = arena_text(setting->arena, first,
		    strlen(first));
	if (line.server.weight == 0)
		line.server.weight = 1;
	return line.server.name != NULL && server_append(setting, &line.server);
}

/* As it was written, but with its attributes in our order. */
static bool
server_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	const struct upstream_conf *upstream = owner;
	const struct server_conf *server;
	char address[HOST_MAX + 16], weight[32] = "", max[48] = "";
	bool named;

	(void)option;
	if (n >= upstream->nservers || upstream->host != NULL)
		return false;
	server = &upstream->servers[n];
	if (server->srv)
		snprintf(address, sizeof(address), SRV "%s", server->host);
	else if (server->host != NULL)
		snprintf(address, sizeof(address), "%s:%u", server->host,
		    server->port);
	else
		addr_text(&server->addr, address);
	named = server_conf_is_named(server);
	if (server->weight != 1)
		snprintf(weight, sizeof(weight), " weight=%u",
		    (unsigned)server->weight);
	if (server->max_sessions != 0)
		snprintf(max, sizeof(max), " max_sessions=%ju",
		    (uintmax_t)server->max_sessions);
	snprintf(item->text, sizeof(item->text), "%s%s%s%s%s%s", address,
	    named ? " name=" : "", named ? server->name : "", weight, max,
	    server->backup ? " backup" : "");
	item->origin = server->origin;
	return true;
}

static const char *
server_form(const struct option *option, char *text)
{
	(void)option;
	return strcpy(text, "HOST:PORT, unix:PATH or srv:NAME, then any of "
	    "name=N weight=N max_sessions=N backup");
}

const struct option_type TYPE_SERVER = { server_set, server_get, server_form };
