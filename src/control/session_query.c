#include "session_query.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "base/units.h"

#define SHOWN 64 /* of a value that is wrong */

/* What a parameter's function works with; false: 'why' was written. */
struct setting {
	struct session_query *query;
	const struct config *const *configs;
	const char	     *name, *value;
	char		     *why;
};

static bool __attribute__((format(printf, 2, 3)))
setting_wrong(const struct setting *s, const char *format, ...)
{
	char shown[SHOWN];
	va_list args;
	int n;

	str_escape(shown, sizeof(shown), s->value, strlen(s->value));
	n = snprintf(s->why, SESSION_QUERY_WHY, "%s '%s' ", s->name, shown);
	va_start(args, format);
	vsnprintf(s->why + n, SESSION_QUERY_WHY - (size_t)n, format, args);
	va_end(args);
	return false;
}

/* What is wrong has named the value already. */
static bool
setting_says(const struct setting *s, const char *wrong)
{
	snprintf(s->why, SESSION_QUERY_WHY, "%s: %s", s->name, wrong);
	return false;
}

static void
setting_copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

static bool
setting_unknown(const struct setting *s, const struct str_guess *guess)
{
	if (guess->word == NULL)
		return setting_wrong(s, "is not in the configuration, nor did "
		    "it leave sessions");
	return setting_wrong(s, "is not in the configuration; did you mean "
	    "%s?", guess->word);
}

/* One that is gone may have left sessions. */
static bool
set_listener(const struct setting *s)
{
	struct str_guess guess = { 0 };

	for (size_t n = 0; s->configs[n] != NULL; n++)
		for (size_t i = 0; i < s->configs[n]->nlisteners; i++) {
			const char *name = s->configs[n]->listeners[i].name;

			str_guess_offer(&guess, s->value, name);
			if (strcmp(name, s->value) != 0)
				continue;
			setting_copy(s->query->filter.listener,
			    sizeof(s->query->filter.listener), name);
			return true;
		}
	return setting_unknown(s, &guess);
}

static bool
set_upstream(const struct setting *s)
{
	struct str_guess guess = { 0 };

	for (size_t n = 0; s->configs[n] != NULL; n++)
		for (size_t i = 0; i < s->configs[n]->nupstreams; i++) {
			const char *name = s->configs[n]->upstreams[i].name;

			str_guess_offer(&guess, s->value, name);
			if (strcmp(name, s->value) != 0)
				continue;
			setting_copy(s->query->filter.upstream,
			    sizeof(s->query->filter.upstream), name);
			return true;
		}
	return setting_unknown(s, &guess);
}

/* Servers come and go with their names' addresses: none is wrong. */
static bool
set_server(const struct setting *s)
{
	if (strlen(s->value) >= sizeof(s->query->filter.server))
		return setting_wrong(s, "is too long");
	setting_copy(s->query->filter.server, sizeof(s->query->filter.server),
	    s->value);
	return true;
}

static bool
set_client(const struct setting *s)
{
	if (prefix_parse(&s->query->filter.client, s->value) == 0)
		return true;
	return setting_wrong(s, "has to be an address or a range as "
	    "192.0.2.0/24, without a port, or 'unix'");
}

static bool
set_min_age(const struct setting *s)
{
	char why[UNITS_WHY];
	const char *wrong;

	wrong = duration_parse(s->value, &s->query->filter.min_age_ms, why);
	return wrong == NULL || setting_says(s, wrong);
}

static bool
set_id(const struct setting *s)
{
	if (closerecord_id_parse(s->value, &s->query->filter.id) &&
	    s->query->filter.id != 0)
		return true;
	return setting_wrong(s, "has to be a session's id, as 5f2a-1-42");
}

static bool
set_limit(const struct setting *s)
{
	char why[UNITS_WHY];
	const char *wrong;
	uint64_t limit = 0;

	wrong = number_parse(s->value, &limit, why);
	if (wrong != NULL)
		return setting_says(s, wrong);
	if (limit == 0)
		return setting_wrong(s, "has to be 1 or more");
	s->query->limit = limit;
	return true;
}

const char *
session_cursor(size_t worker, uint64_t order, char *text)
{
	snprintf(text, SESSION_CURSOR, "%zu-%" PRIu64, worker, order);
	return text;
}

static bool
set_after(const struct setting *s)
{
	char again[SESSION_CURSOR];

	if (sscanf(s->value, "%4zu-%20" SCNu64, &s->query->worker,
	    &s->query->below) == 2 && s->query->below > 0 &&
	    strcmp(session_cursor(s->query->worker, s->query->below, again),
	    s->value) == 0)
		return true;
	return setting_wrong(s, "has to be what an earlier reply said as "
	    "'next'");
}

/* Seen to by admin_wants_text(). */
static bool
set_format(const struct setting *s)
{
	if (strcmp(s->value, "text") == 0 || strcmp(s->value, "json") == 0)
		return true;
	return setting_wrong(s, "has to be json or text");
}

static const struct parameter {
	const char *name;
	bool (*set)(const struct setting *);
	bool filters;
} PARAMETERS[] = {
	{ "listener", set_listener, true },
	{ "upstream", set_upstream, true },
	{ "server", set_server, true },
	{ "client", set_client, true },
	{ "min_age", set_min_age, true },
	{ "id", set_id, true },
	{ "limit", set_limit, false },
	{ "after", set_after, false },
	{ "format", set_format, false },
};
#define PARAMETER_COUNT (sizeof(PARAMETERS) / sizeof(PARAMETERS[0]))

void
session_query_init(struct session_query *query)
{
	memset(query, 0, sizeof(*query));
	query->limit = SIZE_MAX;
}

static const char *
session_query_unknown(const char *name, char *why)
{
	struct str_guess guess = { 0 };
	char shown[SHOWN];
	size_t n;

	str_escape(shown, sizeof(shown), name, strlen(name));
	for (size_t i = 0; i < PARAMETER_COUNT; i++)
		str_guess_offer(&guess, name, PARAMETERS[i].name);
	n = (size_t)snprintf(why, SESSION_QUERY_WHY, "there is no parameter "
	    "'%s'", shown);
	if (guess.word != NULL) {
		snprintf(why + n, SESSION_QUERY_WHY - n, "; did you mean %s?",
		    guess.word);
		return why;
	}
	for (size_t i = 0; i < PARAMETER_COUNT; i++)
		n += (size_t)snprintf(why + n, SESSION_QUERY_WHY - n, "%s%s",
		    i == 0 ? "; there are " : i < PARAMETER_COUNT - 1 ? ", " :
		    " and ", PARAMETERS[i].name);
	return why;
}

const char *
session_query_set(struct session_query *query,
    const struct config *const *configs, const char *name, const char *value,
    char *why)
{
	const struct setting s = { .query = query, .configs = configs,
		.name = name, .value = value, .why = why };

	for (size_t i = 0; i < PARAMETER_COUNT; i++) {
		if (strcmp(PARAMETERS[i].name, name) != 0)
			continue;
		query->filters |= PARAMETERS[i].filters;
		if (*value == '\0')
			setting_wrong(&s, "is empty");
		else if (PARAMETERS[i].set(&s))
			return NULL;
		return why;
	}
	return session_query_unknown(name, why);
}
