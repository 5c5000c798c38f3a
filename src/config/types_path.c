/* Option types that are paths, places for logs, and accounts. */
#include "rows.h"

#include <stdio.h>
#include <string.h>

#define FILE_PREFIX "file:"

static bool
text_set(const struct setting *setting, const char *text, char **field)
{
	*field = arena_text(setting->arena, text, strlen(text));
	return *field != NULL;
}

/* --- a path: the daemon's working directory is nobody's business */

static const char *
path_form(const struct option *option, char *text)
{
	snprintf(text, FORM_TEXT, "%s%soff or an absolute path",
	    option->zero != NULL ? option->zero : "",
	    option->zero != NULL ? ", " : "");
	return text;
}

static bool
path_set(const struct setting *setting)
{
	const char *word = setting->option->zero;
	char **path = setting_field(setting);

	*path = NULL;
	if (strcmp(setting->text, "off") == 0)
		return true;
	if (*setting->text != '/' &&
	    (word == NULL || strcmp(setting->text, word) != 0))
		return setting_wrong(setting, " must be an absolute path, "
		    "not '%s'", setting->text);
	return text_set(setting, setting->text, path);
}

static bool
path_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	char *const *path = option_field(option, owner);

	snprintf(item->text, sizeof(item->text), "%s",
	    *path != NULL ? *path : "off");
	return n == 0;
}

const struct option_type TYPE_PATH = { path_set, path_get, path_form };

/* --- include: load.c has read the files when this is called */

static const char *
include_form(const struct option *option, char *text)
{
	(void)option;
	return strcpy(text, "a path or a pattern, as in conf.d/*.ini");
}

static bool
include_set(const struct setting *setting)
{
	(void)setting;
	return true;
}

static bool
include_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	(void)option, (void)owner, (void)n, (void)item;
	return false;
}

const struct option_type TYPE_INCLUDE = { include_set, include_get,
	include_form };

/* --- where a log goes */

static const char *const TARGET_WORDS[] = {
	[LOG_TO_NOWHERE] = "off",
	[LOG_TO_LOG] = "on",
	[LOG_TO_STDERR] = "stderr",
	[LOG_TO_SYSLOG] = "syslog",
};

static const char *
log_form(const struct option *option, char *text)
{
	(void)option;
	return strcpy(text, "stderr, syslog or file:PATH");
}

static const char *
access_form(const struct option *option, char *text)
{
	(void)option;
	return strcpy(text, "on, off, stderr, syslog or file:PATH");
}

static bool
target_set_file(const struct setting *setting, struct log_target *target)
{
	const char *path = setting->text + strlen(FILE_PREFIX);

	if (*path != '/')
		return setting_wrong(setting, " needs an absolute path, as in "
		    "file:/var/log/sluice.log, not '%s'", setting->text);
	target->to = LOG_TO_FILE;
	return text_set(setting, path, &target->path);
}

static bool
target_set(const struct setting *setting)
{
	struct log_target *target = setting_field(setting);
	char form[FORM_TEXT];

	*target = (struct log_target){ .to = LOG_TO_STDERR };
	if (strncmp(setting->text, FILE_PREFIX, strlen(FILE_PREFIX)) == 0)
		return target_set_file(setting, target);
	for (size_t i = LOG_TO_STDERR; i < LOG_TO_FILE; i++) {
		target->to = (enum log_to)i;
		if (strcmp(setting->text, TARGET_WORDS[i]) == 0)
			return true;
	}
	return setting_wrong(setting, " must be %s, not '%s'%s",
	    setting->option->type->form(setting->option, form), setting->text,
	    *setting->text == '/' ? "; write file: before a path" : "");
}

static bool
access_set(const struct setting *setting)
{
	struct log_target *target = setting_field(setting);
	bool on;

	if (!bool_parse(setting->text, &on))
		return target_set(setting);
	*target = (struct log_target){ on ? LOG_TO_LOG : LOG_TO_NOWHERE, NULL };
	return true;
}

static bool
target_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	const struct log_target *target = option_field(option, owner);

	if (target->to == LOG_TO_FILE)
		snprintf(item->text, sizeof(item->text), FILE_PREFIX "%s",
		    target->path);
	else
		snprintf(item->text, sizeof(item->text), "%s",
		    TARGET_WORDS[target->to]);
	return n == 0;
}

const struct option_type TYPE_LOG = { target_set, target_get, log_form };
const struct option_type TYPE_ACCESS = { access_set, target_get, access_form };

/* --- a user or a group; whether there is one is seen at start */

static const char *
account_form(const struct option *option, char *text)
{
	snprintf(text, FORM_TEXT, "a %s by name or number",
	    strstr(option->key, "group") != NULL ? "group" : "user");
	return text;
}

static bool
account_set(const struct setting *setting)
{
	return text_set(setting, setting->text, setting_field(setting));
}

static bool
account_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	char *const *name = option_field(option, owner);

	if (n > 0 || *name == NULL)
		return false;
	snprintf(item->text, sizeof(item->text), "%s", *name);
	return true;
}

const struct option_type TYPE_ACCOUNT = { account_set, account_get,
	account_form };
