/* Socket addresses: one value type for IPv4, IPv6 and Unix sockets. */
#ifndef SLUICE_BASE_ADDR_H
#define SLUICE_BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Room for any address as text: "[v6%scope]:port" or "unix:" and a path. */
#define ADDR_TEXT 128

struct addr {
	socklen_t len; /* of the member of the union in use */
	union {
		struct sockaddr		sa;
		struct sockaddr_in	in;
		struct sockaddr_in6	in6;
		struct sockaddr_un	un;
	};
};

/* Who is at the other end of a connection, in 24 bytes, since every session
 * keeps one.  A Unix client has no name: family AF_UNIX and nothing else. */
struct peer {
	uint16_t family;
	uint16_t port;	/* host order */
	uint32_t scope; /* of a link-local IPv6 address */
	uint8_t	 ip[16];
};

/* Reads a numeric IPv4 or IPv6 address (no brackets; "%scope", by name or
 * index, where the address is link-local; a mapped one becomes plain IPv4).
 * Returns 0, or -EINVAL when 'host' is not one. */
int addr_from_ip(struct addr *, const char *host, uint16_t port);

/* Names a Unix socket; a leading '@' means the abstract name space (unix(7)).
 * Returns 0, -ENAMETOOLONG, or -EINVAL for an empty one. */
int addr_from_path(struct addr *, const char *path);

/* Takes what the kernel or getaddrinfo(3) gave; an IPv4-mapped IPv6 address
 * (RFC 4291 section 2.5.5.2) becomes plain IPv4. */
void addr_from_sockaddr(struct addr *, const struct sockaddr *, socklen_t);

/* Writes "1.2.3.4:80", "[::1]:80" or "unix:PATH" into 'text' (ADDR_TEXT bytes)
 * and returns it. */
const char *addr_text(const struct addr *, char *text);

uint16_t addr_port(const struct addr *); /* 0 for a Unix socket */
void	 addr_set_port(struct addr *, uint16_t port);

/* Whether both name the same endpoint: family, address, scope and port. */
bool addr_equal(const struct addr *, const struct addr *);

/* Whether it is 0.0.0.0 or ::, whatever the port. */
bool addr_is_any(const struct addr *);

/* Whether it is of 127.0.0.0/8, or ::1. */
bool addr_is_loopback(const struct addr *);

/* Takes what accept(2) gave, mapped addresses as addr_from_sockaddr does. */
void peer_from_sockaddr(struct peer *, const struct sockaddr *);

/* The same as an address; of a Unix client, which has no name, only the
 * family. */
void peer_addr(const struct peer *, struct addr *);

/* Writes like addr_text; a Unix client is "unix:". */
const char *peer_text(const struct peer *, char *text);

/* The same without a port or brackets: "1.2.3.4", "::1", "unix". */
const char *peer_ip_text(const struct peer *, char *text);

#endif
