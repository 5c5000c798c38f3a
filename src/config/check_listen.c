/* Options of listening against what a listener binds. */
#include "build.h"

#include "rows.h"

#include <string.h>

/* What is of one kind of bind alone.  Zeroed means off. */
struct fit {
	const char *key;
	size_t	    size;
	bool	    unix_path; /* is of binds with a path, else of TCP */
	bool	    passed;    /* and of sockets that somebody else made */
};

#define FIT(key, ...) \
	{ #key, sizeof(((struct listener_conf *)NULL)->key), __VA_ARGS__ }

static const struct fit FITS[] = {
	FIT(interface, false, false),
	FIT(freebind, false, false),
	FIT(transparent, false, false),
	FIT(fast_open, false, true),
	FIT(defer_accept, false, true),
	FIT(mptcp, false, false),
	FIT(socket_mode, true, false),
	FIT(socket_owner, true, false),
};
#define FIT_COUNT (sizeof(FITS) / sizeof(FITS[0]))

static bool
bind_fits(const struct bind_conf *bind, const struct fit *fit)
{
	if (bind->passed != NULL)
		return fit->passed;
	if (bind->addr.sa.sa_family != AF_UNIX)
		return !fit->unix_path;
	return fit->unix_path && bind->addr.un.sun_path[0] != '\0';
}

static bool
listener_fits(const struct listener_conf *listener, const struct fit *fit)
{
	for (size_t i = 0; i < listener->nbinds; i++)
		if (bind_fits(&listener->binds[i], fit))
			return true;
	return false;
}

static bool
option_is_off(const struct option *option, const struct listener_conf *listener)
{
	struct item item;

	return !option->type->get(option, listener, 0, &item) ||
	    strcmp(item.text, "off") == 0;
}

/* What stands in [defaults] is for those that it fits, and -T shows all, also
 * what is off. */
static void
listener_check_fit(struct report *to, struct listener_conf *listener,
    const struct fit *fit)
{
	const struct option *option = option_find(SECTION_LISTENER, fit->key);
	struct origin origin = listener->origins[option_index(option)];

	if (listener->nbinds == 0 || listener_fits(listener, fit) ||
	    option_is_off(option, listener))
		return;
	if (origin.kind == ORIGIN_DEFAULTS)
		memset((char *)listener + option->offset, 0, fit->size);
	else
		report(to, origin, "%s needs a bind to %s, and [listener "
		    "%s] has none", fit->key, fit->unix_path ?
		    "unix:PATH" : "ADDR:PORT", listener->name);
}

void
listener_check_listening(struct report *to,
    struct listener_conf *listener)
{
	for (size_t i = 0; i < FIT_COUNT; i++)
		listener_check_fit(to, listener, &FITS[i]);
	for (size_t i = 0; i < listener->nbinds; i++)
		listener->binds[i].interface = listener->interface;
}
