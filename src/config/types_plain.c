/* Option types that are a word or a number. */
#include "rows.h"

#include "base/str.h"
#include "base/units.h"

#include <stdio.h>
#include <string.h>

typedef const char *parse_fn(const char *, uint64_t *, char *);
typedef const char *print_fn(uint64_t, char *);

static bool
item_set(struct item *item, const char *text)
{
	snprintf(item->text, sizeof(item->text), "%s", text);
	return true;
}

static size_t
word_find(const char *const *words, const char *text)
{
	size_t i = 0;

	while (words[i] != NULL && strcmp(words[i], text) != 0)
		i++;
	return i;
}

/* --- on and off */

static const char *const BOOL_WORDS[] = { "off", "on", "no", "yes", "false",
	"true", NULL };

static const char *
bool_form(const struct option *option, char *text)
{
	(void)option;
	return strcpy(text, "on or off");
}

bool
bool_parse(const char *text, bool *value)
{
	size_t i = word_find(BOOL_WORDS, text);

	*value = i % 2 == 1;
	return BOOL_WORDS[i] != NULL;
}

static bool
bool_set(const struct setting *setting)
{
	return bool_parse(setting->text, setting_field(setting)) ||
	    setting_wrong(setting, " must be on or off, not '%s'",
	    setting->text);
}

static bool
bool_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	const bool *value = option_field(option, owner);

	return n == 0 && item_set(item, BOOL_WORDS[*value]);
}

const struct option_type TYPE_BOOL = { bool_set, bool_get, bool_form };

/* --- numbers of all sorts: a noun, a way in and a way out */

static const char *
number_text(uint64_t value, char *text)
{
	snprintf(text, UNITS_TEXT, "%ju", (uintmax_t)value);
	return text;
}

static const char *
range_form(const struct option *option, const char *noun, print_fn *print,
    char *text)
{
	char min[UNITS_TEXT], max[UNITS_TEXT];

	snprintf(text, FORM_TEXT, "%s%s%s from %s to %s",
	    option->zero != NULL ? option->zero : "",
	    option->zero != NULL ? " or " : "", noun,
	    print(option->min, min), print(option->max, max));
	return text;
}

static bool
range_set(const struct setting *setting, parse_fn *parse)
{
	const struct option *option = setting->option;
	uint64_t *value = setting_field(setting);
	char why[UNITS_WHY], form[FORM_TEXT];
	const char *wrong;

	*value = 0;
	if (option->zero != NULL && strcmp(setting->text, option->zero) == 0)
		return true;
	wrong = parse(setting->text, value, why);
	if (wrong != NULL && parse != number_parse)
		return setting_wrong(setting, ": %s", wrong);
	if (wrong == NULL && *value == 0 && option->zero != NULL)
		return true;
	if (wrong == NULL && *value >= option->min && *value <= option->max)
		return true;
	return setting_wrong(setting, " must be %s, not '%s'",
	    option->type->form(option, form), setting->text);
}

/* 0 without a word for it, where the table has no default, is not set. */
static bool
range_get(const struct option *option, const void *owner, size_t n,
    print_fn *print, struct item *item)
{
	const uint64_t *value = option_field(option, owner);
	char text[UNITS_TEXT];

	if (n > 0 || (*value == 0 && option->standard == NULL))
		return false;
	if (*value == 0 && option->zero != NULL)
		return item_set(item, option->zero);
	return item_set(item, print(*value, text));
}

static const char *
number_form(const struct option *option, char *text)
{
	return range_form(option, "a number", number_text, text);
}

static bool
number_set(const struct setting *setting)
{
	return range_set(setting, number_parse);
}

static bool
number_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	return range_get(option, owner, n, number_text, item);
}

const struct option_type TYPE_NUMBER = { number_set, number_get, number_form };

static const char *
size_form(const struct option *option, char *text)
{
	return range_form(option, "a size", size_text, text);
}

static bool
size_set(const struct setting *setting)
{
	return range_set(setting, size_parse);
}

static bool
size_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	return range_get(option, owner, n, size_text, item);
}

const struct option_type TYPE_SIZE = { size_set, size_get, size_form };

static const char *
duration_form(const struct option *option, char *text)
{
	return range_form(option, "a duration", duration_text, text);
}

static bool
duration_set(const struct setting *setting)
{
	return range_set(setting, duration_parse);
}

static bool
duration_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	return range_get(option, owner, n, duration_text, item);
}

const struct option_type TYPE_DURATION = { duration_set, duration_get,
	duration_form };

/* As duration_parse(), which would propose parts of a second. */
static const char *
seconds_parse(const char *text, uint64_t *ms, char *why)
{
	char shown[28];

	if (duration_parse(text, ms, why) == NULL)
		return NULL;
	str_escape(shown, sizeof(shown), text, strlen(text));
	if (text[strspn(text, "0123456789")] == '\0' && strlen(text) < 6)
		snprintf(why, UNITS_WHY, "%s what? write %ss", text, text);
	else
		snprintf(why, UNITS_WHY, "'%s' is not in whole seconds: "
		    "write 5s or 1m", shown);
	return why;
}

static bool
seconds_set(const struct setting *setting)
{
	const uint64_t *value = setting_field(setting);

	if (!range_set(setting, seconds_parse))
		return false;
	return *value % 1000 == 0 || setting_wrong(setting,
	    " must be whole seconds, not '%s'", setting->text);
}

static const char *
seconds_form(const struct option *option, char *text)
{
	return range_form(option, "whole seconds", duration_text, text);
}

const struct option_type TYPE_SECONDS = { seconds_set, duration_get,
	seconds_form };

/* --- one of a few words: the field is an enum that counts them from 0 */

_Static_assert(sizeof(enum log_level) == sizeof(unsigned) &&
	sizeof(enum log_format) == sizeof(unsigned), "enums are stored as unsigned");

/* "error, warn, info or debug" */
static const char *
word_form(const struct option *option, char *text)
{
	const char *const *words = option->words;
	size_t used = 0;

	for (size_t i = 0; words[i] != NULL && used < FORM_TEXT; i++)
		used += (size_t)snprintf(text + used, FORM_TEXT - used, "%s%s",
		    i == 0 ? "" : words[i + 1] != NULL ? ", " : " or ",
		    words[i]);
	return text;
}

static bool
word_set(const struct setting *setting)
{
	const struct option *option = setting->option;
	unsigned i = (unsigned)word_find(option->words, setting->text);
	char form[FORM_TEXT];

	if (option->words[i] == NULL)
		return setting_wrong(setting, " must be %s, not '%s'",
		    word_form(option, form), setting->text);
	memcpy(setting_field(setting), &i, sizeof(i));
	return true;
}

static bool
word_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	unsigned i;

	memcpy(&i, option_field(option, owner), sizeof(i));
	return n == 0 && item_set(item, option->words[i]);
}

const struct option_type TYPE_WORD = { word_set, word_get, word_form };

/* --- the name of a section; whether there is one is seen when all is read */

static const char *
name_form(const struct option *option, char *text)
{
	(void)option;
	return strcpy(text, "the name of an [upstream NAME]");
}

static bool
name_set(const struct setting *setting)
{
	char **name = setting_field(setting);

	*name = arena_text(setting->arena, setting->text,
	    strlen(setting->text));
	return *name != NULL;
}

static bool
name_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	char *const *name = option_field(option, owner);

	return n == 0 && *name != NULL && item_set(item, *name);
}

const struct option_type TYPE_NAME = { name_set, name_get, name_form };
