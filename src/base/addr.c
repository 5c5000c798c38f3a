#include "base/addr.h"

#include "base/str.h"
#include "base/units.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define PATH_MAX_LEN (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

static void
addr_set_in(struct addr *addr, const void *ip, uint16_t port)
{
	memset(addr, 0, sizeof(*addr));
	addr->len = sizeof(addr->in);
	addr->in.sin_family = AF_INET;
	addr->in.sin_port = htons(port);
	memcpy(&addr->in.sin_addr, ip, sizeof(addr->in.sin_addr));
}

/* A mapped address is the IPv4 one that a dual-stack socket speaks to. */
static void
addr_set_in6(struct addr *addr, const struct in6_addr *ip, uint32_t scope,
    uint16_t port)
{
	if (IN6_IS_ADDR_V4MAPPED(ip)) {
		addr_set_in(addr, &ip->s6_addr[12], port);
		return;
	}
	memset(addr, 0, sizeof(*addr));
	addr->len = sizeof(addr->in6);
	addr->in6.sin6_family = AF_INET6;
	addr->in6.sin6_port = htons(port);
	addr->in6.sin6_addr = *ip;
	addr->in6.sin6_scope_id = scope;
}

/* RFC 4007 section 11: the scope is an interface, by name or by index. */
static uint32_t
scope_from_text(const char *text)
{
	char why[UNITS_WHY];
	uint64_t index;

	if (number_parse(text, &index, why) != NULL)
		return if_nametoindex(text);
	return index <= UINT32_MAX ? (uint32_t)index : 0;
}

static int
addr_from_scoped(struct addr *addr, const char *host, uint16_t port)
{
	const char *percent = strchr(host, '%');
	char ip[INET6_ADDRSTRLEN];
	struct in6_addr in6;
	uint32_t scope;

	if (percent == NULL || (size_t)(percent - host) >= sizeof(ip))
		return -EINVAL;
	memcpy(ip, host, (size_t)(percent - host));
	ip[percent - host] = '\0';
	scope = scope_from_text(percent + 1);
	if (scope == 0 || inet_pton(AF_INET6, ip, &in6) != 1 ||
	    !(IN6_IS_ADDR_LINKLOCAL(&in6) || IN6_IS_ADDR_MC_LINKLOCAL(&in6)))
		return -EINVAL;
	addr_set_in6(addr, &in6, scope, port);
	return 0;
}

int
addr_from_ip(struct addr *addr, const char *host, uint16_t port)
{
	struct in_addr in;
	struct in6_addr in6;

	if (inet_pton(AF_INET, host, &in) == 1)
		addr_set_in(addr, &in, port);
	else if (inet_pton(AF_INET6, host, &in6) == 1)
		addr_set_in6(addr, &in6, 0, port);
	else
		return addr_from_scoped(addr, host, port);
	return 0;
}

/* The kernel may or may not count a terminating NUL of a path; an abstract
 * name has none, and every byte of it counts. */
static void
addr_set_un(struct addr *addr, const char *path, size_t len)
{
	memset(addr, 0, sizeof(*addr));
	addr->un.sun_family = AF_UNIX;
	if (len > PATH_MAX_LEN)
		len = PATH_MAX_LEN;
	memcpy(addr->un.sun_path, path, len);
	if (len > 0 && path[0] != '\0')
		len = strlen(addr->un.sun_path) + 1;
	addr->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

int
addr_from_path(struct addr *addr, const char *path)
{
	size_t len = strlen(path);

	if (len == 0)
		return -EINVAL;
	if (len > PATH_MAX_LEN)
		return -ENAMETOOLONG;
	addr_set_un(addr, path, len);
	if (path[0] == '@') {
		addr->un.sun_path[0] = '\0';
		addr->len = (socklen_t)(
		    offsetof(struct sockaddr_un, sun_path) + len);
	}
	return 0;
}

void
addr_from_sockaddr(struct addr *addr, const struct sockaddr *sa, socklen_t len)
{
	struct sockaddr_storage copy = { 0 };
	size_t head = offsetof(struct sockaddr_un, sun_path);

	memset(addr, 0, sizeof(*addr));
	memcpy(&copy, sa, len < sizeof(copy) ? len : sizeof(copy));
	if (copy.ss_family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)&copy;

		addr_set_in(addr, &in->sin_addr, ntohs(in->sin_port));
	} else if (copy.ss_family == AF_INET6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&copy;

		addr_set_in6(addr, &in6->sin6_addr, in6->sin6_scope_id,
		    ntohs(in6->sin6_port));
	} else if (copy.ss_family == AF_UNIX) {
		addr_set_un(addr, (char *)&copy + head,
		    len > head ? len - head : 0);
	}
}

static const char *
addr_text_un(const struct addr *addr, char *text)
{
	size_t len = addr->len - offsetof(struct sockaddr_un, sun_path);
	char path[sizeof(addr->un.sun_path) + 1];

	memcpy(path, addr->un.sun_path, len);
	if (len > 0 && path[0] == '\0')
		path[0] = '@';
	else
		len = strnlen(path, len);
	memcpy(text, "unix:", 5);
	if (str_is_text(path, len))
		snprintf(text + 5, ADDR_TEXT - 5, "%.*s", (int)len, path);
	else
		str_escape(text + 5, ADDR_TEXT - 5, path, len);
	return text;
}

static const char *
addr_text_in6(const struct sockaddr_in6 *in6, char *text)
{
	char ip[INET6_ADDRSTRLEN], scope[16] = "";

	inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof(ip));
	if (in6->sin6_scope_id != 0)
		snprintf(scope, sizeof(scope), "%%%u", in6->sin6_scope_id);
	snprintf(text, ADDR_TEXT, "[%s%s]:%u", ip, scope,
	    ntohs(in6->sin6_port));
	return text;
}

const char *
addr_text(const struct addr *addr, char *text)
{
	char ip[INET_ADDRSTRLEN];

	if (addr->len == 0) {
		memcpy(text, "unknown", 8);
	} else if (addr->sa.sa_family == AF_UNIX) {
		addr_text_un(addr, text);
	} else if (addr->sa.sa_family == AF_INET6) {
		addr_text_in6(&addr->in6, text);
	} else {
		inet_ntop(AF_INET, &addr->in.sin_addr, ip, sizeof(ip));
		snprintf(text, ADDR_TEXT, "%s:%u", ip,
		    ntohs(addr->in.sin_port));
	}
	return text;
}

uint16_t
addr_port(const struct addr *addr)
{
	if (addr->sa.sa_family == AF_INET)
		return ntohs(addr->in.sin_port);
	if (addr->sa.sa_family == AF_INET6)
		return ntohs(addr->in6.sin6_port);
	return 0;
}

void
addr_set_port(struct addr *addr, uint16_t port)
{
	if (addr->sa.sa_family == AF_INET)
		addr->in.sin_port = htons(port);
	else if (addr->sa.sa_family == AF_INET6)
		addr->in6.sin6_port = htons(port);
}

bool
addr_equal(const struct addr *a, const struct addr *b)
{
	if (a->len != b->len || a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr &&
		    a->in.sin_port == b->in.sin_port;
	if (a->sa.sa_family == AF_INET6)
		return IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr,
			   &b->in6.sin6_addr) &&
		    a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
		    a->in6.sin6_port == b->in6.sin6_port;
	return memcmp(&a->un, &b->un, a->len) == 0;
}

bool
addr_is_any(const struct addr *addr)
{
	if (addr->sa.sa_family == AF_INET)
		return addr->in.sin_addr.s_addr == htonl(INADDR_ANY);
	if (addr->sa.sa_family == AF_INET6)
		return IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr);
	return false;
}

bool
addr_is_loopback(const struct addr *addr)
{
	if (addr->sa.sa_family == AF_INET)
		return ntohl(addr->in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	if (addr->sa.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&addr->in6.sin6_addr);
	return false;
}

void
peer_from_sockaddr(struct peer *peer, const struct sockaddr *sa)
{
	struct addr addr;

	memset(peer, 0, sizeof(*peer));
	peer->family = sa->sa_family;
	if (sa->sa_family != AF_INET && sa->sa_family != AF_INET6)
		return;
	addr_from_sockaddr(&addr, sa, sa->sa_family == AF_INET ?
		sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
	peer->family = addr.sa.sa_family;
	peer->port = addr_port(&addr);
	if (peer->family == AF_INET) {
		memcpy(peer->ip, &addr.in.sin_addr, 4);
	} else {
		peer->scope = addr.in6.sin6_scope_id;
		memcpy(peer->ip, &addr.in6.sin6_addr, 16);
	}
}

void
peer_addr(const struct peer *peer, struct addr *addr)
{
	struct in6_addr in6;

	memset(addr, 0, sizeof(*addr));
	memcpy(&in6, peer->ip, sizeof(in6));
	if (peer->family == AF_INET)
		addr_set_in(addr, peer->ip, peer->port);
	else if (peer->family == AF_INET6)
		addr_set_in6(addr, &in6, peer->scope, peer->port);
	else if (peer->family == AF_UNIX)
		addr_set_un(addr, "", 0);
}

const char *
peer_text(const struct peer *peer, char *text)
{
	struct addr addr;

	peer_addr(peer, &addr);
	return addr_text(&addr, text);
}

const char *
peer_ip_text(const struct peer *peer, char *text)
{
	size_t len;

	peer_text(peer, text);
	if (peer->family == AF_INET6) {
		len = strcspn(text, "]") - 1;
		memmove(text, text + 1, len);
	} else {
		len = strcspn(text, ":");
	}
	text[len] = '\0';
	return text;
}
