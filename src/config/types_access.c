/* Option types of who may come in. */
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

static bool
rule_read(const struct setting *setting, struct access_rule *rule)
{
	const char *path = rule_file(setting->text);
	char form[FORM_TEXT];

	if (path != NULL && *path == '\0')
		return setting_wrong(setting, " needs a path behind file:");
	if (path != NULL) {
		rule->path = arena_text(setting->arena, path, strlen(path));
		return rule->path != NULL;
	}
	if (strcmp(setting->text, EVERYBODY) == 0 ||
	    prefix_parse(&rule->prefix, setting->text) == 0)
		return true;
	return setting_wrong(setting, " must be %s, not '%s'%s",
	    rule_form(setting->option, form), setting->text,
	    *setting->text == '/' ? "; write file: before a path" : "");
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
