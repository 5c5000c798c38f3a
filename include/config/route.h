/* The rules of a listener that choose an upstream by who the client is and what
 * it says first.  The first one that matches holds, but none is searched for
 * one by one: each kind has a table that gives the first rule that fits, and
 * the first of those is the one. */
#ifndef SLUICE_CONFIG_ROUTE_H
#define SLUICE_CONFIG_ROUTE_H

#include <stddef.h>

#include "base/prefix_map.h"
#include "proto/client_hello.h"

struct upstream_conf;

enum route_kind { ROUTE_SNI, ROUTE_ALPN, ROUTE_CLIENT };
#define ROUTE_KINDS (ROUTE_CLIENT + 1)

struct routes {
	struct route_conf *rules; /* in the order of the file */
	size_t		   count;
	size_t		   first_hello; /* the first rule that has to hear the
					   client; 'count': none does */

	const struct prefix_map *clients; /* NULL: no rule */
	uint32_t *slots; /* hash table of names and protocols: a rule, from 1;
			    0 is a free one */
	size_t	  mask;
};

/* Each returns the first rule that matches, or routes->count. */
size_t routes_by_client(const struct routes *, const struct peer *);

/* A hello that was read as OK. "*.example.com" stands for names with one more
 * label (RFC 6125 section 6.4.3); what is not a host name matches nothing. */
size_t routes_by_hello(const struct routes *, const struct client_hello *);

/* "sni", "alpn", "client". */
const char *route_kind_text(enum route_kind);

#endif
