/* A range of addresses: "10.0.0.0/8", "2001:db8::/32", one address, "unix". */
#ifndef SLUICE_BASE_PREFIX_H
#define SLUICE_BASE_PREFIX_H

#include <stdbool.h>

#include "base/addr.h"

/* Zeroed, it has everybody. */
struct prefix {
	uint16_t family; /* AF_UNSPEC: everybody; AF_UNIX: every Unix client */
	uint8_t	 bits;
	uint8_t	 ip[16]; /* zero behind the bits */
};

/* Reads an address with or without "/BITS" (RFC 4632 section 3.1, RFC 4291
 * section 2.3), or "unix".  A mapped IPv6 one becomes plain IPv4, as peers do;
 * bits of the host are ignored.  Returns 0, or -EINVAL. */
int prefix_parse(struct prefix *, const char *text);

/* Whether every address of the narrow one is in the wide one, too. */
bool prefix_covers(const struct prefix *wide, const struct prefix *narrow);

/* Whether the client is one of them; a Unix client has no address. */
bool prefix_has(const struct prefix *, const struct peer *);

#endif
