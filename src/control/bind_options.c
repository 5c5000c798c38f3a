#include "bind_options.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "config/option.h"
#include "identity.h"
#include "proxy/tcp_options.h"
#include "sandbox.h"

#define FAST_OPEN_QUEUE 256
#define FAST_OPEN_SERVE 2 /* of net.ipv4.tcp_fastopen (ip-sysctl.rst) */

static int
options_unknown(const struct config *config, const struct listener_conf *l,
    const char *what, const char *name, int error)
{
	char place[CONFIG_PLACE], why[IDENTITY_WHY];

	log_error(0, "%s: listener %s: %s (socket_owner)",
	    config_place(config, l->origin, place), l->name,
	    identity_why(what, name, error, why));
	return error;
}

static int
options_find_owner(struct sock_owner *owner, const struct config *config,
    const struct listener_conf *l)
{
	const char *user = l->socket_owner.user, *group = l->socket_owner.group;
	int error;

	*owner = (struct sock_owner){ (uid_t)-1, (gid_t)-1 };
	if (user != NULL && (error = identity_find_uid(user, &owner->uid)) < 0)
		return options_unknown(config, l, "user", user, error);
	if (group != NULL && (error = identity_find_group(group,
	    &owner->gid)) < 0)
		return options_unknown(config, l, "group", group, error);
	return 0;
}

/* Without Multipath TCP a listener is as good as with it. */
static bool
options_have_mptcp(const struct listener_conf *l)
{
	int error = l->mptcp ? sock_probe_mptcp() : 0;

	if (error < 0)
		log_warn(error, "listener %s: plain TCP, since the kernel has "
		    "no mptcp", l->name);
	return l->mptcp && error == 0;
}

/* The kernel takes the option and says nothing when it does not do it. */
static int
options_fast_open(const struct listener_conf *l)
{
	FILE *f;
	int value;

	if (!l->fast_open)
		return 0;
	f = fopen("/proc/sys/net/ipv4/tcp_fastopen", "re");
	if (f == NULL)
		return FAST_OPEN_QUEUE;
	if (fscanf(f, "%d", &value) == 1 && !(value & FAST_OPEN_SERVE))
		log_warn(0, "listener %s: fast_open has no effect, since "
		    "net.ipv4.tcp_fastopen is %d; 3 allows it", l->name,
		    value);
	fclose(f);
	return FAST_OPEN_QUEUE;
}

void
bind_options_plain(struct bind_options *o, const struct listener_conf *l)
{
	*o = (struct bind_options){ .owner = { (uid_t)-1, (gid_t)-1 } };
	tcp_options(&l->tcp, &o->tcp);
	o->listen = (struct sock_listen){
		.tcp = &o->tcp,
		.backlog = l->backlog == 0 ? SOMAXCONN : (int)l->backlog,
		.interface = l->interface,
		.freebind = l->freebind,
		.transparent = l->transparent,
		.defer_accept = (int)(l->defer_accept / 1000),
		.mode = l->socket_mode,
		.owner = &o->owner,
	};
}

int
bind_options_init(struct bind_options *o, const struct config *config,
    const struct listener_conf *l)
{
	int error;

	bind_options_plain(o, l);
	error = options_find_owner(&o->owner, config, l);
	if (error < 0)
		return error;
	o->listen.mptcp = options_have_mptcp(l);
	o->listen.fast_open = options_fast_open(l);
	return 0;
}

static const char *
options_no_access(const struct addr *addr)
{
	struct stat st;

	if (stat(addr->un.sun_path, &st) < 0)
		return "its folder cannot be written by this user";
	return st.st_uid == geteuid() ? "an old socket is there, in a folder "
	    "that this user cannot write; remove it" :
	    "a socket of somebody else is there; if nobody listens on it, "
	    "remove it";
}

const char *
bind_options_why(const struct listener_conf *l, const struct addr *addr,
    int error, char *text)
{
	bool local = addr->sa.sa_family == AF_UNIX;

	*text = '\0';
	if (error == -EPERM && local)
		snprintf(text, BIND_WHY, " (socket_owner needs CAP_CHOWN)");
	else if (error == -EPERM && (l->transparent || l->interface != NULL))
		snprintf(text, BIND_WHY, " (%s needs CAP_NET_RAW)",
		    l->transparent ? "transparent" : "interface");
	else if (error == -EACCES && local)
		snprintf(text, BIND_WHY, " (%s)", options_no_access(addr));
	else if (error == -EACCES)
		snprintf(text, BIND_WHY, " (a port this low needs "
		    "CAP_NET_BIND_SERVICE)");
	else if (error == -EADDRNOTAVAIL && !local)
		snprintf(text, BIND_WHY, " (freebind = on binds it before it "
		    "is there)");
	else if (error == -ENODEV && l->interface != NULL)
		snprintf(text, BIND_WHY, " (interface %s)", l->interface);
	return text;
}

int
bind_options_check_sources(const struct config *config)
{
	char place[CONFIG_PLACE];
	int error = sandbox_workers_have_raw() ? sock_probe_transparent() :
	    -EPERM, found = 0;

	for (size_t i = 0; error < 0 && i < config->nupstreams; i++) {
		const struct upstream_conf *u = &config->upstreams[i];

		if (!u->source_client)
			continue;
		log_error(error, "%s: upstream %s: source = client needs "
		    "CAP_NET_RAW%s", config_place(config, u->origin, place),
		    u->name, sandbox_workers_have_raw() ? "" : ", which the "
		    "workers gave up at the start: it takes a restart");
		found = error;
	}
	return found;
}
