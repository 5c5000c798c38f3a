/* Which addresses a bind takes. */
#include "build.h"

#include "config/option.h"

#include <ifaddrs.h>
#include <string.h>

static unsigned
bind_port(const struct bind_conf *bind)
{
	return addr_port(&bind->addr);
}

/* Port 0 is any free one, and never the same as another. */
static bool
ports_meet(const struct bind_conf *a, const struct bind_conf *b)
{
	return bind_port(a) != 0 && bind_port(b) != 0 &&
	    bind_port(a) < bind_port(b) + b->ports &&
	    bind_port(b) < bind_port(a) + a->ports;
}

static bool
same_ip(const struct addr *a, const struct addr *b)
{
	struct addr one = *a, other = *b;

	addr_set_port(&one, 0);
	addr_set_port(&other, 0);
	return addr_equal(&one, &other);
}

/* Two networks may each have a service on the port. */
static bool
interfaces_differ(const struct bind_conf *a, const struct bind_conf *b)
{
	return a->interface != NULL && b->interface != NULL &&
	    strcmp(a->interface, b->interface) != 0;
}

/* A wildcard beside one of its addresses is no clash: the kernel gives the
 * client to the closer one. */
bool
bind_overlaps(const struct bind_conf *a, const struct bind_conf *b)
{
	if (a->passed != NULL || b->passed != NULL)
		return a->passed != NULL && b->passed != NULL &&
		    strcmp(a->passed, b->passed) == 0;
	if (a->addr.sa.sa_family == AF_UNIX)
		return addr_equal(&a->addr, &b->addr);
	if (!ports_meet(a, b) || interfaces_differ(a, b))
		return false;
	if (a->dual || b->dual)
		return addr_is_any(&a->addr) && addr_is_any(&b->addr);
	return same_ip(&a->addr, &b->addr);
}

/* Connecting to the wildcard reaches this machine (ip(7), ipv6(7)). */
static void
addr_any_to_loopback(struct addr *addr)
{
	if (addr_is_any(addr))
		addr_from_ip(addr, addr->sa.sa_family == AF_INET ? "127.0.0.1" :
			"::1", addr_port(addr));
}

/* All of 127.0.0.0/8 is this machine, whatever getifaddrs(3) lists. */
static bool
addr_is_local(const struct addr *addr)
{
	struct ifaddrs *list, *i;
	struct addr local;
	bool found = false;

	if (addr->sa.sa_family == AF_INET &&
	    ntohl(addr->in.sin_addr.s_addr) >> 24 == 127)
		return true;
	if (getifaddrs(&list) < 0)
		return false;
	for (i = list; i != NULL && !found; i = i->ifa_next) {
		if (i->ifa_addr == NULL)
			continue;
		addr_from_sockaddr(&local, i->ifa_addr,
		    i->ifa_addr->sa_family == AF_INET ?
			sizeof(struct sockaddr_in) :
			sizeof(struct sockaddr_in6));
		found = local.len != 0 && same_ip(&local, addr);
	}
	freeifaddrs(list);
	return found;
}

/* What we send to ourselves comes by the loopback. */
static bool
bind_hears_us(const struct bind_conf *bind)
{
	return bind->interface == NULL || strcmp(bind->interface, "lo") == 0;
}

static bool
bind_accepts(const struct bind_conf *bind, const struct addr *addr)
{
	struct bind_conf one = { .addr = *addr, .ports = 1 };

	if (bind->passed != NULL)
		return false; /* what it is bound to is seen at start */
	if (bind->addr.sa.sa_family == AF_UNIX ||
	    addr->sa.sa_family == AF_UNIX)
		return addr_equal(&bind->addr, addr);
	if (!ports_meet(bind, &one) || !bind_hears_us(bind))
		return false;
	if (!addr_is_any(&bind->addr))
		return same_ip(&bind->addr, addr);
	return (bind->dual ||
		   bind->addr.sa.sa_family == addr->sa.sa_family) &&
	    addr_is_local(addr);
}

const struct listener_conf *
config_own_listener(const struct config *config, const struct addr *addr)
{
	struct addr to = *addr;

	addr_any_to_loopback(&to);
	for (size_t i = 0; i < config->nlisteners; i++) {
		const struct listener_conf *listener = &config->listeners[i];

		for (size_t j = 0; j < listener->nbinds; j++) {
			if (bind_accepts(&listener->binds[j], &to))
				return listener;
		}
	}
	return NULL;
}
