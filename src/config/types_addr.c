/* Option types that are addresses of ours or a host. */
#include "rows.h"

#include "hostport.h"

#include <stdio.h>
#include <string.h>

#define RANGE_MAX 1024 /* ports of one bind */
#define PASSED	      "systemd:"
#define PASSED_MOST   255
#define SOURCE_CLIENT "client"

static bool
addr_wrong(const struct setting *setting, const char *wrong)
{
	return setting_wrong(setting, " '%s' %s", setting->text, wrong);
}

static char *
setting_copy(const struct setting *setting, const char *text)
{
	return arena_text(setting->arena, text, strlen(text));
}

/* --- bind */

static const char *
bind_form(const struct option *option, char *text)
{
	(void)option;
	return strcpy(text,
	    "ADDR:PORT, :PORT, [V6]:PORT, ADDR:FIRST-LAST, unix:PATH or "
	    "systemd:NAME");
}

static const char *
bind_wrong(const struct hostport *hp, const char *text)
{
	if (hp->kind == HOST_NAME)
		return "needs a numeric address, as in 127.0.0.1:PORT, or "
		       ":PORT for all";
	if (hp->kind == HOST_UNIX && strpbrk(text, " \t,") != NULL)
		return "has a blank or a comma in its path: socket_mode and "
		       "socket_owner are lines of their own";
	if (hp->first == 0 && hp->last != 0)
		return "is a range that begins with port 0";
	if (hp->last - hp->first >= RANGE_MAX)
		return "is a range of more than 1024 ports";
	return NULL;
}

static bool
bind_add(const struct setting *setting, const struct bind_conf *bind)
{
	struct listener_conf *listener = setting->owner;
	struct bind_conf *binds = arena_grow(setting->arena, listener->binds,
	    listener->nbinds, sizeof(*bind));

	if (bind->text == NULL || binds == NULL)
		return false;
	binds[listener->nbinds] = *bind;
	listener->binds = binds;
	listener->nbinds++;
	return true;
}

/* What systemd.socket(5) allows in FileDescriptorName=. */
static bool
is_passed_name(const char *name)
{
	size_t len = 0;

	for (; name[len] != '\0'; len++)
		if (name[len] <= ' ' || name[len] > '~' || name[len] == ':')
			return false;
	return len > 0 && len <= PASSED_MOST;
}

static bool
bind_set_passed(const struct setting *setting)
{
	struct bind_conf bind = { .origin = setting->origin, .ports = 1 };

	bind.text = setting_copy(setting, setting->text);
	if (bind.text == NULL)
		return false;
	bind.passed = bind.text + strlen(PASSED);
	if (!is_passed_name(bind.passed))
		return addr_wrong(setting, "needs a name as FileDescriptorName= "
		    "of a socket unit has it, as in systemd:web");
	return bind_add(setting, &bind);
}

static bool
bind_set(const struct setting *setting)
{
	struct bind_conf bind = { .origin = setting->origin };
	char why[HOSTPORT_WHY];
	struct hostport hp;
	const char *wrong;

	if (strncmp(setting->text, PASSED, strlen(PASSED)) == 0)
		return bind_set_passed(setting);
	wrong = hostport_parse(&hp, setting->text, why);
	if (wrong == NULL)
		wrong = bind_wrong(&hp, setting->text);
	if (wrong != NULL)
		return addr_wrong(setting, wrong);
	bind.dual = hp.kind == HOST_NONE;
	if (bind.dual)
		addr_from_ip(&hp.addr, "::", (uint16_t)hp.first);
	bind.addr = hp.addr;
	bind.ports = hp.last - hp.first + 1;
	bind.text = setting_copy(setting, setting->text);
	return bind_add(setting, &bind);
}

static bool
bind_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	const struct listener_conf *listener = owner;

	(void)option;
	if (n >= listener->nbinds)
		return false;
	snprintf(item->text, sizeof(item->text), "%s", listener->binds[n].text);
	item->origin = listener->binds[n].origin;
	return true;
}

const struct option_type TYPE_BIND = { bind_set, bind_get, bind_form };

/* --- admin */

static const char *
admin_form(const struct option *option, char *text)
{
	(void)option;
	return strcpy(text, "off or ADDR:PORT");
}

static const char *
admin_wrong(const struct hostport *hp)
{
	if (hp->kind != HOST_NUMERIC)
		return "needs a numeric address, as in 127.0.0.1:9901";
	return hp->first != hp->last ? "must be one port" : NULL;
}

static bool
admin_set(const struct setting *setting)
{
	struct global_conf *global = setting->owner;
	char why[HOSTPORT_WHY];
	struct hostport hp;
	const char *wrong;

	if (strcmp(setting->text, "off") == 0)
		return true;
	if (strchr(setting->text, ':') == NULL)
		wrong = "needs an address and a port, as in 127.0.0.1:9901";
	else
		wrong = hostport_parse(&hp, setting->text, why);
	if (wrong == NULL)
		wrong = admin_wrong(&hp);
	if (wrong != NULL)
		return addr_wrong(setting, wrong);
	global->admin = setting_copy(setting, setting->text);
	global->admin_addr = hp.addr;
	return global->admin != NULL;
}

static bool
admin_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	const struct global_conf *global = owner;

	(void)option;
	snprintf(item->text, sizeof(item->text), "%s",
	    global->admin != NULL ? global->admin : "off");
	return n == 0;
}

const struct option_type TYPE_ADMIN = { admin_set, admin_get, admin_form };

/* --- host */

static const char *
host_form(const struct option *option, char *text)
{
	(void)option;
	return strcpy(text, "a host name or an address");
}

static bool
host_set(const struct setting *setting)
{
	struct upstream_conf *upstream = setting->owner;
	char why[HOSTPORT_WHY];
	struct hostport hp;
	const char *wrong = host_parse(&hp, setting->text, why);

	if (wrong != NULL)
		return addr_wrong(setting, wrong);
	upstream->host = setting_copy(setting, hp.host);
	return upstream->host != NULL;
}

static bool
host_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	const struct upstream_conf *upstream = owner;

	(void)option;
	if (n > 0 || upstream->host == NULL)
		return false;
	snprintf(item->text, sizeof(item->text), "%s", upstream->host);
	return true;
}

const struct option_type TYPE_HOST = { host_set, host_get, host_form };

/* --- source */

static const char *
source_form(const struct option *option, char *text)
{
	(void)option;
	return strcpy(text, "a numeric address without port, or client");
}

/* It goes with no other. */
static bool
source_set_client(const struct setting *setting)
{
	struct upstream_conf *upstream = setting->owner;

	if (upstream->nsources > 0 || upstream->source_client)
		return setting_wrong(setting, " = client is the only one, or "
		    "none");
	upstream->source_client = true;
	return true;
}

static bool
source_set(const struct setting *setting)
{
	struct upstream_conf *upstream = setting->owner;
	char why[HOSTPORT_WHY];
	struct hostport hp;
	const char *wrong = host_parse(&hp, setting->text, why);
	struct addr *sources;

	if (strcmp(setting->text, SOURCE_CLIENT) == 0)
		return source_set_client(setting);
	if (upstream->source_client)
		return setting_wrong(setting, " '%s' cannot be used beside "
		    "'client'", setting->text);
	if (wrong != NULL || hp.kind != HOST_NUMERIC || addr_is_any(&hp.addr))
		return addr_wrong(setting,
		    "must be a numeric address of this machine, without port, "
		    "or client");
	sources = arena_grow(setting->arena, upstream->sources,
	    upstream->nsources, sizeof(*sources));
	if (sources == NULL)
		return false;
	sources[upstream->nsources] = hp.addr;
	upstream->sources = sources;
	upstream->nsources++;
	return true;
}

/* The text of an address without its ":0" and brackets. */
static bool
source_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	const struct upstream_conf *upstream = owner;
	char text[ADDR_TEXT], *ip = text;
	size_t len;

	(void)option;
	if (upstream->source_client) {
		strcpy(item->text, SOURCE_CLIENT);
		return n == 0;
	}
	if (n >= upstream->nsources)
		return false;
	addr_text(&upstream->sources[n], text);
	len = strlen(text) - strlen(":0");
	if (*ip == '[') {
		ip++;
		len -= 2;
	}
	snprintf(item->text, sizeof(item->text), "%.*s", (int)len, ip);
	return true;
}

const struct option_type TYPE_SOURCE = { source_set, source_get, source_form };
