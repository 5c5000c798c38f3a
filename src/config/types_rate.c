/* Option types of how often something may happen. */
#include "rows.h"

#include "base/units.h"

#include <stdio.h>
#include <string.h>

static const char *
rate_form(const struct option *option, char *text)
{
	snprintf(text, FORM_TEXT, "%s or a number from %ju to %ju in a second, "
	    "a minute or an hour, as in 100/s, 600/m or 10/h", option->zero,
	    (uintmax_t)option->min, (uintmax_t)option->max);
	return text;
}

static bool
rate_take(const struct option *option, const char *text,
    struct rate_limit *rate)
{
	char why[UNITS_WHY];

	return rate_parse(text, &rate->count, &rate->per, why) == NULL &&
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
	    rate_take(setting->option, setting->text, rate))
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

	if (rate->count == 0)
		snprintf(item->text, sizeof(item->text), "%s", option->zero);
	else
		rate_text(rate->count, rate->per, item->text);
	return n == 0;
}

const struct option_type TYPE_RATE = { rate_set, rate_get, rate_form };
