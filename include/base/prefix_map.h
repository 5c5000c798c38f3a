/* Many ranges of addresses, each with a number: which is the lowest of all that
 * have an address?  With a rule's place as its number, the first rule that
 * matches.  Built once, then const for every thread: the ranges are cut into
 * stretches that do not overlap, and one is found by bisection, in no more
 * steps than an address has bits. */
#ifndef SLUICE_BASE_PREFIX_MAP_H
#define SLUICE_BASE_PREFIX_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/prefix.h"

#define PREFIX_MAP_NONE UINT32_MAX /* nothing has the address */

struct prefix_map;

struct prefix_entry {
	struct prefix prefix;
	uint32_t      value; /* below PREFIX_MAP_NONE; two may have the same */
};

/* What a map of these takes, in bytes: 16 for each IPv4 range, 40 for an IPv6
 * one, and a few more. */
size_t prefix_map_size(const struct prefix_entry *, size_t count);

/* Builds one in the caller's memory, which has that size and the alignment of
 * malloc(3), and which is the map from then on.  The entries are sorted in
 * place and not needed afterwards. */
const struct prefix_map *prefix_map_build(void *memory, struct prefix_entry *,
    size_t count);

/* The lowest value of the ranges that have the client, or PREFIX_MAP_NONE. */
uint32_t prefix_map_find(const struct prefix_map *, const struct peer *);

#endif
