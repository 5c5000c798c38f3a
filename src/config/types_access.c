/* Option types of who may come in. */
#include "range.h"
#include "rows.h"

#include <stdio.h>
#include <string.h>

#define FILE_PREFIX "file:"
#define EVERYBODY   "all"

/* --- a line of allow or deny; the files are read when all rules are known */

static const char *
rule_form(const struct option *option, char *text)
{
	(void)option;
	return strcpy(text, "an address or range as in 10.0.0.0/8, all, unix "
	    "or file:PATH");
}

/* What is behind "file:", or NULL. */
static const char *
rule_file(const char *text)
{
	size_t len = strlen(FILE_PREFIX);

	return strncmp(text, FILE_PREFIX, len) == 0 ? text + len : NULL;
}

/* It is everybody for who binds. */
static bool
is_nobody(const char *text)
{
	return strcmp(text, "0.0.0.0") == 0 || strcmp(text, "::") == 0;
}

static bool
rule_read(const struct setting *setting, struct access_rule *rule)
{
	const char *path = rule_file(setting->text);
	char why[RANGE_WHY];
	const char *wrong;

	if (path != NULL && *path == '\0')
		return setting_wrong(setting, " needs a path behind file:");
	if (path != NULL) {
		rule->path = arena_text(setting->arena, path, strlen(path));
		return rule->path != NULL;
	}
	if (strcmp(setting->text, EVERYBODY) == 0)
		return true;
	if (*setting->text == '/')
		return setting_wrong(setting, " '%s': write file: before a "
		    "path", setting->text);
	wrong = range_parse(&rule->prefix, setting->text, EVERYBODY, why);
	if (wrong == NULL && is_nobody(setting->text))
		wrong = "is no client's: everybody is 'all'";
	return wrong == NULL || setting_wrong(setting, " '%s' %s",
	    setting->text, wrong);
}

static bool
rule_set(const struct setting *setting)
{
	struct access_conf *access = setting_field(setting);
	struct access_rule *rules, rule = { .origin = setting->origin,
		.allow = strcmp(setting->option->key, "allow") == 0 };

	if (!rule_read(setting, &rule))
		return false;
	rule.text = arena_text(setting->arena, setting->text,
	    strlen(setting->text));
	rules = arena_grow(setting->arena, access->rules, access->nrules,
	    sizeof(rule));
	if (rule.text == NULL || rules == NULL)
		return false;
	rules[access->nrules++] = rule;
	access->rules = rules;
	return true;
}

/* Both keys are one list, and the first prints it. */
static bool
rule_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	const struct access_conf *access = option_field(option, owner);
	const struct access_rule *rule;

	if (strcmp(option->key, "allow") != 0 || n >= access->nrules)
		return false;
	rule = &access->rules[n];
	snprintf(item->text, sizeof(item->text), "%s%s",
	    rule->path != NULL ? FILE_PREFIX : "",
	    rule->path != NULL ? rule->path : rule->text);
	item->key = rule->allow ? "allow" : "deny";
	item->origin = rule->origin;
	return true;
}

const struct option_type TYPE_RULE = { rule_set, rule_get, rule_form };
