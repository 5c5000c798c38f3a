/* Option types of how often something may happen. */
#include "rows.h"

#include "base/units.h"

#include <stdio.h>
#include <string.h>

static const struct period {
	const char *word;
	uint64_t    ms;
} PERIODS[] = {
	{ "s", 1000 },
	{ "m", 60 * 1000 },
	{ "h", 60 * 60 * 1000 },
};

#define PERIOD_COUNT (sizeof(PERIODS) / sizeof(PERIODS[0]))

static const char *
rate_form(const struct option *option, char *text)
{
	snprintf(text, FORM_TEXT, "%s or a number from %ju to %ju in a second, "
	    "a minute or an hour, as in 100/s, 600/m or 10/h", option->zero,
	    (uintmax_t)option->min, (uintmax_t)option->max);
	return text;
}

/* 0: there is no such word. */
static uint64_t
period_parse(const char *text)
{
	for (size_t i = 0; i < PERIOD_COUNT; i++)
		if (strcmp(text, PERIODS[i].word) == 0)
			return PERIODS[i].ms;
	return 0;
}

static bool
rate_parse(const struct option *option, const char *text,
    struct rate_limit *rate)
{
	const char *slash = strchr(text, '/');
	char count[UNITS_TEXT], why[UNITS_WHY];

	if (slash == NULL || (size_t)(slash - text) >= sizeof(count))
		return false;
	snprintf(count, sizeof(count), "%.*s", (int)(slash - text), text);
	rate->per = period_parse(slash + 1);
	return rate->per != 0 &&
	    number_parse(count, &rate->count, why) == NULL &&
	    rate->count >= option->min && rate->count <= option->max;
}

/* Whether "/s" is all that it lacks. */
static bool
rate_is_bare(const struct option *option, const char *text)
{
	char why[UNITS_WHY];
	uint64_t count;

	return number_parse(text, &count, why) == NULL &&
	    count >= option->min && count <= option->max;
}

static bool
rate_set(const struct setting *setting)
{
	struct rate_limit *rate = setting_field(setting);
	char form[FORM_TEXT];

	*rate = (struct rate_limit){ 0 };
	if (strcmp(setting->text, setting->option->zero) == 0 ||
	    strcmp(setting->text, "0") == 0 ||
	    rate_parse(setting->option, setting->text, rate))
		return true;
	*rate = (struct rate_limit){ 0 };
	if (rate_is_bare(setting->option, setting->text))
		return setting_wrong(setting, ": %s what? write %s/s",
		    setting->text, setting->text);
	return setting_wrong(setting, " must be %s, not '%s'",
	    rate_form(setting->option, form), setting->text);
}

static bool
rate_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	const struct rate_limit *rate = option_field(option, owner);
	size_t i = 0;

	while (i < PERIOD_COUNT - 1 && PERIODS[i].ms != rate->per)
		i++;
	if (rate->count == 0)
		snprintf(item->text, sizeof(item->text), "%s", option->zero);
	else
		snprintf(item->text, sizeof(item->text), "%ju/%s",
		    (uintmax_t)rate->count, PERIODS[i].word);
	return n == 0;
}

const struct option_type TYPE_RATE = { rate_set, rate_get, rate_form };
