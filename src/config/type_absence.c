/* The option type of "on_no_server = refuse | unlisten | hold 10s". */
#include "rows.h"

#include "base/units.h"

#include <stdio.h>
#include <string.h>

#define HOLD "hold"

static const char *
absence_form(const struct option *option, char *text)
{
	(void)option;
	snprintf(text, FORM_TEXT, "refuse, unlisten, or hold and how long, as "
	    "in hold 10s");
	return text;
}

static bool
absence_hold(const struct setting *setting, struct absence_conf *absence)
{
	const char *wait = setting->text + strlen(HOLD), *wrong;
	char why[UNITS_WHY];

	wait += strspn(wait, " \t");
	wrong = duration_parse(wait, &absence->hold, why);
	if (wrong == NULL && absence->hold == 0)
		wrong = "must be more than 0";
	if (wrong != NULL)
		return setting_wrong(setting, ": %s", wrong);
	absence->how = ABSENCE_HOLD;
	return true;
}

static bool
absence_set(const struct setting *setting)
{
	struct absence_conf *absence = setting_field(setting);
	char form[FORM_TEXT];

	*absence = (struct absence_conf){ 0 };
	if (strncmp(setting->text, HOLD " ", strlen(HOLD) + 1) == 0 ||
	    strncmp(setting->text, HOLD "\t", strlen(HOLD) + 1) == 0)
		return absence_hold(setting, absence);
	if (strcmp(setting->text, "unlisten") == 0)
		absence->how = ABSENCE_UNLISTEN;
	else if (strcmp(setting->text, "refuse") != 0)
		return setting_wrong(setting, " must be %s, not '%s'",
		    absence_form(setting->option, form), setting->text);
	return true;
}

static bool
absence_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	const struct absence_conf *absence = option_field(option, owner);
	char hold[UNITS_TEXT];

	if (absence->how == ABSENCE_HOLD)
		snprintf(item->text, sizeof(item->text), HOLD " %s",
		    duration_text(absence->hold, hold));
	else
		snprintf(item->text, sizeof(item->text), "%s",
		    absence->how == ABSENCE_UNLISTEN ? "unlisten" : "refuse");
	return n == 0;
}

const struct option_type TYPE_ABSENCE = { absence_set, absence_get,
	absence_form };
