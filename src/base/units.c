#include "base/units.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

/* Far above any use, and low enough that adding to a clock cannot overflow. */
#define DURATION_MAX_MS (UINT64_C(3650) * 86400000)

#define SHOWN 28 /* room for the part of the input that a message quotes */

struct unit {
	const char *name;
	uint64_t    factor;
};

/* From the largest, so that the first that divides gives the shortest text. */
static const struct unit DURATION_UNITS[] = {
	{ "d", 86400000 },
	{ "h", 3600000 },
	{ "m", 60000 },
	{ "s", 1000 },
	{ "ms", 1 },
	{ NULL, 0 },
};

static const struct unit SIZE_UNITS[] = {
	{ "G", 1u << 30 },
	{ "M", 1u << 20 },
	{ "k", 1u << 10 },
	{ "", 1 },
	{ NULL, 0 },
};

static const struct unit PERIOD_UNITS[] = {
	{ "s", 1000 },
	{ "m", 60000 },
	{ "h", 3600000 },
	{ NULL, 0 },
};

/* Reads leading digits; returns what follows, or NULL when it overflows. */
static const char *
digits_parse(const char *text, uint64_t *value)
{
	*value = 0;
	for (; *text >= '0' && *text <= '9'; text++) {
		if (__builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, *text - '0', value))
			return NULL;
	}
	return text;
}

static const struct unit *
unit_find(const struct unit *units, const char *name)
{
	for (; units->name != NULL; units++) {
		if (strcmp(units->name, name) == 0)
			return units;
	}
	return NULL;
}

static const char *
shown(char *out, const char *text)
{
	return str_escape(out, SHOWN, text, strlen(text));
}

const char *
number_parse(const char *text, uint64_t *value, char *why)
{
	const char *rest = digits_parse(text, value);
	char input[SHOWN];

	if (rest == NULL)
		snprintf(why, UNITS_WHY, "'%s' is too large",
		    shown(input, text));
	else if (rest == text || *rest != '\0')
		snprintf(why, UNITS_WHY, "'%s' is not a whole number",
		    shown(input, text));
	else
		return NULL;
	return why;
}

const char *
duration_parse(const char *text, uint64_t *ms, char *why)
{
	uint64_t n;
	const char *rest = digits_parse(text, &n);
	const struct unit *unit = rest ? unit_find(DURATION_UNITS, rest) : NULL;
	char input[SHOWN];

	shown(input, text);
	if (rest == NULL || (unit != NULL && n > DURATION_MAX_MS / unit->factor))
		snprintf(why, UNITS_WHY, "'%s' is too long: at most 3650d",
		    input);
	else if (rest != text && *rest == '\0' && n != 0)
		snprintf(why, UNITS_WHY, "%ju what? write %jus or %jums",
		    (uintmax_t)n, (uintmax_t)n, (uintmax_t)n);
	else if (rest == text || (unit == NULL && *rest != '\0'))
		snprintf(why, UNITS_WHY, "'%s' is not a duration: "
		    "write 200ms, 5s, 10m, 24h or 7d", input);
	else {
		*ms = unit != NULL ? n * unit->factor : 0;
		return NULL;
	}
	return why;
}

/* The unit that a text like "MB", "K/s" or "g" was meant as, or NULL; bits are
 * no unit of ours. */
static const struct unit *
size_meant(const char *rest)
{
	size_t prefix = strcspn(rest, "Bi/");
	const struct unit *unit = SIZE_UNITS;
	static const char *const ends[] = { "", "B", "iB", "/s", "B/s",
		"iB/s" };

	while (unit->name != NULL && (strlen(unit->name) != prefix ||
	    strncasecmp(unit->name, rest, prefix) != 0))
		unit++;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (strcmp(rest + prefix, ends[i]) == 0)
			return unit->name != NULL ? unit : NULL;
	return NULL;
}

/* Somebody wrote a number and another unit behind it. */
static void
size_wrong(const char *input, uint64_t n, const char *rest, char *why)
{
	const struct unit *meant = size_meant(rest);

	if (meant != NULL)
		snprintf(why, UNITS_WHY, "'%s' is not a size: write %ju%s",
		    input, (uintmax_t)n, meant->name);
	else if (strcasestr(rest, "b") != NULL)
		snprintf(why, UNITS_WHY, "'%s' is not a size: write bytes as "
		    "in 16k, 1M, 2G; 8 Mbit are 1M", input);
	else
		snprintf(why, UNITS_WHY, "'%s' is not a size: "
		    "write 16k, 1M, 2G or plain bytes", input);
}

const char *
size_parse(const char *text, uint64_t *bytes, char *why)
{
	uint64_t n;
	const char *rest = digits_parse(text, &n);
	const struct unit *unit = rest ? unit_find(SIZE_UNITS, rest) : NULL;
	char input[SHOWN];

	shown(input, text);
	if (rest == NULL || (unit != NULL && n > INT64_MAX / unit->factor))
		snprintf(why, UNITS_WHY, "'%s' is too large", input);
	else if (rest == text || unit == NULL)
		size_wrong(input, n, rest == text ? "?" : rest, why);
	else {
		*bytes = n * unit->factor;
		return NULL;
	}
	return why;
}

static const char *
units_text(const struct unit *unit, uint64_t value, char *text)
{
	while (unit->factor > 1 && value % unit->factor != 0)
		unit++;
	snprintf(text, UNITS_TEXT, "%ju%s", (uintmax_t)(value / unit->factor),
	    unit->name);
	return text;
}

/* One day and one minute read better as the 24h and 60s that everybody writes.
 */
const char *
duration_text(uint64_t ms, char *text)
{
	const struct unit *day = &DURATION_UNITS[0], *minute = day + 2;

	if (ms == 0)
		return strcpy(text, "0");
	if (ms == day->factor)
		return units_text(day + 1, ms, text);
	return units_text(ms == minute->factor ? minute + 1 : day, ms, text);
}

const char *
size_text(uint64_t bytes, char *text)
{
	if (bytes == 0)
		return strcpy(text, "0");
	return units_text(SIZE_UNITS, bytes, text);
}

const char *
rate_parse(const char *text, uint64_t *count, uint64_t *per, char *why)
{
	const char *rest = digits_parse(text, count);
	const struct unit *unit = rest != NULL && *rest == '/' ?
	    unit_find(PERIOD_UNITS, rest + 1) : NULL;
	char input[SHOWN];

	shown(input, text);
	if (rest == NULL)
		snprintf(why, UNITS_WHY, "'%s' is too large", input);
	else if (rest != text && *rest == '\0')
		snprintf(why, UNITS_WHY, "%s what? write %s/s", input, input);
	else if (rest == text || unit == NULL)
		snprintf(why, UNITS_WHY, "'%s' is not a rate: write 100/s, "
		    "600/m or 10/h", input);
	else {
		*per = unit->factor;
		return NULL;
	}
	return why;
}

const char *
rate_text(uint64_t count, uint64_t per, char *text)
{
	const struct unit *unit = PERIOD_UNITS;

	while (unit->name != NULL && unit->factor != per)
		unit++;
	snprintf(text, UNITS_TEXT, "%ju/%s", (uintmax_t)count,
	    unit->name == NULL ? "?" : unit->name);
	return text;
}
