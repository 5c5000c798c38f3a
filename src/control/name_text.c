#include "name_text.h"

#include <stdio.h>
#include <string.h>

#include "base/human.h"
#include "base/log.h"
#include "config/option.h"

static size_t
name_gave(const struct name *name)
{
	return name->naddrs + name->nservices;
}

enum name_state
name_state(const struct name *name)
{
	if (name->why != NULL)
		return name_gave(name) > 0 ? NAME_STALE : NAME_UNRESOLVED;
	return freshness_is_settled(&name->fresh) ? NAME_GOOD : NAME_ASKED;
}

const char *
name_state_text(enum name_state state)
{
	static const char *const words[] = {
		[NAME_ASKED] = "asked",
		[NAME_GOOD] = "good",
		[NAME_STALE] = "stale",
		[NAME_UNRESOLVED] = "unresolved",
	};

	return words[state];
}

/* That it does not exist is another story than a name server that is away. */
static bool
name_is_news(const struct name *name, const char *why)
{
	return name->why == NULL || (strcmp(why, DNS_NO_NAME) == 0 &&
	    strcmp(name->why, DNS_NO_NAME) != 0);
}

void
name_log_bad(const struct name *name, const struct config *config,
    struct origin origin, const struct upstream_conf *upstream,
    const char *why)
{
	char place[CONFIG_PLACE];

	if (name_is_news(name, why))
		log_warn(0, "%s: upstream %s: cannot resolve '%s': %s; trying "
		    "again%s", config_place(config, origin, place),
		    upstream->name, name->host, why, name_gave(name) > 0 ?
		    ", what it gave last is used for an hour" : "");
}

void
name_log_half(const struct name *name, const struct config *config,
    struct origin origin, const struct upstream_conf *upstream,
    const struct dns_reply *reply)
{
	char place[CONFIG_PLACE];

	if (name->why == NULL)
		log_warn(0, "%s: upstream %s: cannot resolve '%s' to IPv%c "
		    "addresses: %s; trying again", config_place(config, origin,
		    place), upstream->name, name->host,
		    reply->lost == DNS_V4 ? '4' : '6', reply->lost_why);
}

uint64_t
name_age(const struct name *name, uint64_t now)
{
	const struct freshness *f = &name->fresh;

	switch (name_state(name)) {
	case NAME_ASKED:
		return now - f->asked_at;
	case NAME_GOOD:
		return now - f->good_at;
	case NAME_STALE:
	case NAME_UNRESOLVED:
		break;
	}
	return now - (f->failing_since > 0 ? f->failing_since : f->half_since);
}

/* One family is answered, so that what it has of the other is not counted. */
static void
name_words_half(const struct name *name, uint64_t now, char *text)
{
	bool kept = name_age(name, now) < FRESHNESS_STALE_MS;

	snprintf(text, NAME_WORDS, "%.80s, for one family of addresses; what "
	    "it gave last of that is %s", name->why, kept ?
	    "used for an hour" : "no longer used");
}

static void
name_words_stale(const struct name *name, uint64_t now, char *text)
{
	uint64_t age = name_age(name, now);
	char left[HUMAN_TEXT];

	human_duration(age < FRESHNESS_STALE_MS ? FRESHNESS_STALE_MS - age : 0,
	    left);
	snprintf(text, NAME_WORDS, "%.80s; what it gave last, %zu %s%s, is "
	    "used for at most %s more", name->why, name_gave(name),
	    name->kind == DNS_SERVICES ? "server" : "address",
	    name_gave(name) == 1 ? "" : name->kind == DNS_SERVICES ? "s" :
	    "es", left);
}

const char *
name_words(const struct name *name, uint64_t now, char *text)
{
	switch (name_state(name)) {
	case NAME_ASKED:
		snprintf(text, NAME_WORDS, "no answer yet");
		break;
	case NAME_GOOD:
		text[0] = '\0';
		break;
	case NAME_STALE:
		if (name->fresh.failing_since > 0)
			name_words_stale(name, now, text);
		else
			name_words_half(name, now, text);
		break;
	case NAME_UNRESOLVED:
		snprintf(text, NAME_WORDS, "%s", name->why);
		break;
	}
	return text;
}

size_t
names_failing(const struct names *names)
{
	const struct name *name;
	size_t count = 0;

	for (size_t i = 0; (name = names_at(names, i)) != NULL; i++)
		count += name->why != NULL;
	return count;
}

size_t
names_stale(const struct names *names)
{
	const struct name *name;
	size_t count = 0;

	for (size_t i = 0; (name = names_at(names, i)) != NULL; i++)
		count += name_state(name) == NAME_STALE;
	return count;
}

uint64_t
names_stale_ms(const struct names *names, uint64_t now)
{
	const struct name *name;
	uint64_t most = 0;

	for (size_t i = 0; (name = names_at(names, i)) != NULL; i++)
		if (name_state(name) == NAME_STALE &&
		    name_age(name, now) > most)
			most = name_age(name, now);
	return most;
}
