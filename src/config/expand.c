#include "expand.h"

#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS	   "0123456789"
#define NAME_BYTES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"

struct expansion {
	struct report *report;
	struct origin  origin;
	char	      *out;
	size_t	       len;
	bool	       full;
};

static void
expansion_add(struct expansion *e, const char *text, size_t len)
{
	size_t left = EXPAND_TEXT - 1 - e->len;

	if (len > left) {
		e->full = true;
		len = left;
	}
	memcpy(e->out + e->len, text, len);
	e->len += len;
	e->out[e->len] = '\0';
}

/* The value, or the default where that is not empty.  As in a shell, ":-" looks
 * at an empty variable as at none; without it empty is a value. */
static bool
expansion_add_variable(struct expansion *e, const char *name,
    const char *standard)
{
	const char *value = getenv(name);

	if (standard != NULL && (value == NULL || *value == '\0')) {
		expansion_add(e, standard, strlen(standard));
		return true;
	}
	if (value == NULL) {
		report(e->report, e->origin, "%s is not set in the "
		    "environment; set it, or write ${%s:-DEFAULT}", name, name);
		return false;
	}
	if (!str_is_text(value, strlen(value))) {
		report(e->report, e->origin, "the environment's %s contains a "
		    "control character or bytes that are not UTF-8", name);
		return false;
	}
	expansion_add(e, value, strlen(value));
	return true;
}

/* What stands between the braces. */
static bool
expansion_add_braces(struct expansion *e, const char *text, size_t len)
{
	char name[READER_LINE + 1], *rest;

	snprintf(name, sizeof(name), "%.*s", (int)len, text);
	rest = name + strspn(name, NAME_BYTES DIGITS);
	if (rest > name && strspn(name, DIGITS) == 0 &&
	    strchr(name, '$') == NULL) {
		if (*rest == '\0')
			return expansion_add_variable(e, name, NULL);
		if (strncmp(rest, ":-", 2) == 0) {
			*rest = '\0';
			return expansion_add_variable(e, name, rest + 2);
		}
	}
	report(e->report, e->origin, "'${%.*s}' is neither ${NAME} nor "
	    "${NAME:-DEFAULT}", (int)len, text);
	return false;
}

/* One step from a '$': where the text goes on, or NULL after a report. */
static const char *
expansion_dollar(struct expansion *e, const char *text)
{
	const char *close;

	if (text[1] == '$') {
		expansion_add(e, "$", 1);
		return text + 2;
	}
	if (text[1] != '{') {
		report(e->report, e->origin, "a '$' begins ${NAME}; for a "
		    "dollar sign write $$");
		return NULL;
	}
	close = strchr(text, '}');
	if (close == NULL) {
		report(e->report, e->origin, "no '}' behind '%s'", text);
		return NULL;
	}
	return expansion_add_braces(e, text + 2, (size_t)(close - text) - 2) ?
	    close + 1 : NULL;
}

/* What the variables brought must not make the line another one. */
static bool
expansion_check(struct expansion *e, const char *value)
{
	if (e->full)
		report(e->report, e->origin, "the value with its variables is "
		    "longer than %d bytes", READER_LINE);
	else if (*e->out == '\0' && *value != '\0')
		report(e->report, e->origin, "'%s' stands for nothing: the "
		    "variable is set, but empty", value);
	else if (reader_comments(e->out))
		report(e->report, e->origin, "'%s' contains the start of a "
		    "comment once its variables are in", value);
	else
		return true;
	return false;
}

bool
expand(struct report *report, struct origin origin, const char *value,
    char *out)
{
	struct expansion e = { report, origin, out, 0, false };
	const char *text = value, *dollar;
	char *start;

	*out = '\0';
	while (text != NULL && (dollar = strchr(text, '$')) != NULL) {
		expansion_add(&e, text, (size_t)(dollar - text));
		text = expansion_dollar(&e, dollar);
	}
	if (text == NULL)
		return false;
	expansion_add(&e, text, strlen(text));
	start = reader_trim(out);
	memmove(out, start, strlen(start) + 1);
	return expansion_check(&e, value);
}
