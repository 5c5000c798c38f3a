/* Option types of how a listener listens. */
#include "rows.h"

#include <ctype.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODE_MOST 0777

static bool
text_copy(const struct setting *setting, const char *text, size_t len,
    char **field)
{
	*field = arena_text(setting->arena, text, len);
	return *field != NULL;
}

/* --- who may use a Unix socket, as chmod(1) has it; 0: not set */

static const char *
mode_form(const struct option *option, char *text)
{
	(void)option;
	return strcpy(text, "an octal mode, as in 0660");
}

static bool
mode_set(const struct setting *setting)
{
	unsigned *mode = setting_field(setting);
	const char *text = setting->text;
	size_t len = strlen(text);

	*mode = 0;
	if (len <= 4 && strspn(text, "01234567") == len)
		*mode = (unsigned)strtoul(text, NULL, 8);
	return (*mode > 0 && *mode <= MODE_MOST) || setting_wrong(setting,
	    " must be an octal mode from 0001 to 0777, as in 0660, not '%s'",
	    text);
}

static bool
mode_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	const unsigned *mode = option_field(option, owner);

	snprintf(item->text, sizeof(item->text), "0%03o", *mode);
	return n == 0 && *mode != 0;
}

const struct option_type TYPE_MODE = { mode_set, mode_get, mode_form };

/* --- whose it is, as chown(1) has it; whether there are such is seen at
 * start */

static const char *
owner_form(const struct option *option, char *text)
{
	(void)option;
	return strcpy(text, "USER, USER:GROUP or :GROUP, by name or number");
}

static bool
owner_set(const struct setting *setting)
{
	struct owner_conf *owner = setting_field(setting);
	const char *text = setting->text, *colon = strchr(text, ':');
	size_t user = colon != NULL ? (size_t)(colon - text) : strlen(text);

	*owner = (struct owner_conf){ 0 };
	if (colon != NULL && (colon[1] == '\0' ||
	    strchr(colon + 1, ':') != NULL))
		return setting_wrong(setting, " must be USER, USER:GROUP or "
		    ":GROUP, not '%s'", text);
	if (user > 0 && !text_copy(setting, text, user, &owner->user))
		return false;
	return colon == NULL || text_copy(setting, colon + 1,
	    strlen(colon + 1), &owner->group);
}

static bool
owner_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	const struct owner_conf *value = option_field(option, owner);

	snprintf(item->text, sizeof(item->text), "%s%s%s",
	    value->user != NULL ? value->user : "",
	    value->group != NULL ? ":" : "",
	    value->group != NULL ? value->group : "");
	return n == 0 && item->text[0] != '\0';
}

const struct option_type TYPE_OWNER = { owner_set, owner_get, owner_form };

/* --- a network interface, by a name that the kernel could have given
 * (dev_valid_name()), but for what stands for several; whether there is one is
 * seen at start */

static const char *
interface_form(const struct option *option, char *text)
{
	(void)option;
	return strcpy(text, "the name of a network interface, as in eth0");
}

static bool
is_interface(const char *text)
{
	if (strlen(text) >= IFNAMSIZ || strcmp(text, ".") == 0 ||
	    strcmp(text, "..") == 0)
		return false;
	for (; *text != '\0'; text++)
		if (strchr("/:,*", *text) != NULL ||
		    isspace((unsigned char)*text))
			return false;
	return true;
}

static bool
interface_set(const struct setting *setting)
{
	const char *text = setting->text;

	if (strchr(text, ',') != NULL)
		return setting_wrong(setting, " is one, not '%s': write a "
		    "listener for each", text);
	if (strchr(text, '*') != NULL)
		return setting_wrong(setting, " is one by its name, not '%s': "
		    "leave it out for all", text);
	if (!is_interface(text))
		return setting_wrong(setting, " must be the name of a network "
		    "interface, as in eth0, not '%s'", text);
	return text_copy(setting, text, strlen(text), setting_field(setting));
}

static bool
interface_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	char *const *name = option_field(option, owner);

	if (n > 0 || *name == NULL)
		return false;
	snprintf(item->text, sizeof(item->text), "%s", *name);
	return true;
}

const struct option_type TYPE_INTERFACE = { interface_set, interface_get,
	interface_form };
