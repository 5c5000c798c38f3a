/* Options of an upstream that have no effect beside its others. */
#include "check.h"

#include "rows.h"

#include <string.h>

static bool
has_check(const struct upstream_conf *u)
{
	return u->check != CHECK_OFF;
}

static bool
has_talk(const struct upstream_conf *u)
{
	return u->check == CHECK_BY_SEND_EXPECT || u->check == CHECK_BY_HTTP;
}

static bool
has_answer(const struct upstream_conf *u)
{
	return u->check == CHECK_BY_SEND_EXPECT;
}

static bool
has_ejection(const struct upstream_conf *u)
{
	return u->eject_after != 0;
}

static bool
has_hash(const struct upstream_conf *u)
{
	return u->balance == BALANCE_HASH;
}

static bool
has_shares(const struct upstream_conf *u)
{
	return u->balance != BALANCE_HASH && u->balance != BALANCE_FIRST;
}

static bool
has_limit(const struct upstream_conf *u)
{
	for (size_t i = 0; i < u->nservers; i++)
		if (u->servers[i].max_sessions != 0)
			return true;
	return u->server_max_sessions != 0;
}

static bool
has_name(const struct upstream_conf *u)
{
	for (size_t i = 0; i < u->nservers; i++)
		if (u->servers[i].host != NULL)
			return true;
	return false;
}

/* What an option needs of the others. */
struct need {
	const char *key;
	size_t	    size;
	bool (*met)(const struct upstream_conf *);
	const char *master; /* the option that says so; NULL: the servers */
	const char *unless;
};

#define NEED(key, ...) \
	{ #key, sizeof(((struct upstream_conf *)NULL)->key), __VA_ARGS__ }

static const struct need NEEDS[] = {
	NEED(hash_key, has_hash, "balance", "without 'balance = hash'"),
	NEED(slow_start, has_shares, "balance",
	    "with 'balance = hash' or 'first'"),
	NEED(dns_ttl_min, has_name, NULL, "without a server that is a name"),
	NEED(dns_ttl_max, has_name, NULL, "without a server that is a name"),
	NEED(queue, has_limit, "server_max_sessions",
	    "without 'server_max_sessions = 100'"),
	NEED(queue_timeout, has_limit, "server_max_sessions",
	    "without 'server_max_sessions = 100'"),
	NEED(check_interval, has_check, "check", "without 'check = tcp'"),
	NEED(check_timeout, has_check, "check", "without 'check = tcp'"),
	NEED(check_rise, has_check, "check", "without 'check = tcp'"),
	NEED(check_fall, has_check, "check", "without 'check = tcp'"),
	NEED(check_port, has_check, "check", "without 'check = tcp'"),
	NEED(check_send, has_talk, "check", "without 'check = send_expect'"),
	NEED(check_expect, has_answer, "check",
	    "without 'check = send_expect'"),
	NEED(eject_time, has_ejection, "eject_after",
	    "without 'eject_after = 5'"),
	NEED(eject_max_percent, has_ejection, "eject_after",
	    "without 'eject_after = 5'"),
};
#define NEED_COUNT (sizeof(NEEDS) / sizeof(NEEDS[0]))

/* Whether it stands in the section itself, or is set there. */
static bool
section_says(const struct section *section, const char *key)
{
	for (const struct entry *e = section->entries; e != NULL; e = e->next)
		if (strcmp(e->key, key) == 0)
			return true;
	return false;
}

/* It has been told already, in the section or in [defaults]. */
static bool
option_is_bad(const struct check *check, const struct section *section,
    const char *key)
{
	const struct section *places[] = { section,
		document_find(check->doc, SECTION_DEFAULTS, "") };

	for (size_t i = 0; i < 2; i++)
		for (const struct entry *e = places[i] == NULL ? NULL :
		     places[i]->entries; e != NULL; e = e->next)
			if (e->bad && strcmp(e->key, key) == 0)
				return true;
	return false;
}

static bool
value_is(const struct option *option, const void *owner, const char *text)
{
	struct item item;

	return text != NULL && option->type->get(option, owner, 0, &item) &&
	    strcmp(item.text, text) == 0;
}

/* Who says off has forgotten nothing, and -T says everything. */
static bool
need_is_known(const struct section *section, const struct need *need,
    const struct option *option)
{
	const struct upstream_conf *u = section->owner;
	bool standard = value_is(option, u, option->standard);
	const struct option *master;

	if (need->master == NULL)
		return standard;
	master = option_find(section->kind, need->master);
	if (u->origins[option_index(master)].kind == ORIGIN_DEFAULT)
		return value_is(option, u, "off");
	return standard || value_is(option, u, "off") ||
	    value_is(master, u, "off");
}

/* What [defaults] says is for those that it fits: here it is as if it did not,
 * so that what -T shows of it is right as lines of the section, too. */
static void
need_drop(struct check *check, const struct section *section,
    const struct need *need, const struct option *option)
{
	struct upstream_conf *u = section->owner;
	struct setting setting = { .arena = check->arena,
		.report = check->report, .option = option, .owner = u,
		.text = option->standard };

	if (option->standard != NULL)
		option->type->set(&setting);
	else
		memset((char *)u + option->offset, 0, need->size);
	u->origins[option_index(option)] = (struct origin){ ORIGIN_DEFAULT,
		0, 0 };
}

static void
need_check(struct check *check, const struct section *section,
    const struct need *need)
{
	const struct upstream_conf *u = section->owner;
	const struct option *option = option_find(section->kind, need->key);
	struct origin origin = u->origins[option_index(option)];

	if (origin.kind == ORIGIN_DEFAULT || need->met(u))
		return;
	if (!section_says(section, need->key))
		need_drop(check, section, need, option);
	else if (!need_is_known(section, need, option) &&
	    !option_is_bad(check, section, "server") &&
	    (need->master == NULL ||
	    !option_is_bad(check, section, need->master)))
		report(check->report, origin, "%s is not looked at %s",
		    need->key, need->unless);
}

static void
weights_check(struct check *check, const struct upstream_conf *u)
{
	for (size_t i = 0; i < u->nservers; i++)
		if (u->servers[i].weight != 1 && u->balance == BALANCE_FIRST)
			report(check->report, u->servers[i].origin, "weight= "
			    "is not looked at with 'balance = first'");
}

/* It may be one whose other servers are out of the file for a while. */
static void
backups_check(struct check *check, const struct upstream_conf *u)
{
	for (size_t i = 0; i < u->nservers; i++)
		if (!u->servers[i].backup)
			return;
	if (u->nservers > 0)
		report_warning(check->report, u->servers[0].origin, "[upstream "
		    "%s] has backups alone, which then get all sessions",
		    u->name);
}

/* Operators may take servers out, and names lose their addresses; but it is not
 * what is expected of it. */
static void
unlisten_check(struct check *check, const struct upstream_conf *u)
{
	const struct option *option = option_find(SECTION_UPSTREAM,
	    "on_no_server");
	struct origin origin = u->origins[option_index(option)];

	if (u->absence.how == ABSENCE_UNLISTEN && u->check == CHECK_OFF &&
	    origin.kind != ORIGIN_DEFAULTS)
		report_warning(check->report, origin, "on_no_server = unlisten "
		    "notices servers that are down by 'check = tcp' or "
		    "another; without one, only 'sluice ctl server' takes "
		    "them out, or their name");
}

void
unused_check(struct check *check, const struct section *section)
{
	const struct upstream_conf *u = section->owner;

	if (section->unsure)
		return;
	for (size_t i = 0; i < NEED_COUNT; i++)
		need_check(check, section, &NEEDS[i]);
	weights_check(check, u);
	backups_check(check, u);
	unlisten_check(check, u);
}

void
unused_check_dns(struct check *check)
{
	const struct config *config = check->config;
	const struct option *option = option_find(SECTION_GLOBAL,
	    "dns_server");

	if (config->global.ndns_servers == 0 || check->doc->unsure)
		return;
	for (size_t i = 0; i < config->nupstreams; i++)
		if (has_name(&config->upstreams[i]))
			return;
	report_warning(check->report,
	    config->global.origins[option_index(option)], "dns_server is not "
	    "asked: no server is a name");
}
