#include "base/prefix_map.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DEEPEST 129 /* ranges inside each other: /0 to /128 */

/* The stretches of one family: each from its start to the next one's. */
struct table {
	size_t	  width; /* bytes of an address */
	size_t	  count;
	uint8_t	 *starts; /* rising, as the network writes them */
	uint32_t *values;
};

struct prefix_map {
	uint32_t     everybody, unix_clients;
	struct table ipv4, ipv6;
};

/* A range that the sweep is in, and what holds there. */
struct level {
	uint8_t	 end[16]; /* the first address behind it */
	bool	 endless; /* there is none */
	uint8_t	 bits;
	uint32_t value;
};

struct sweep {
	struct table *table;
	struct level  levels[DEEPEST];
	size_t	      depth;
};

static uint32_t
lower(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static size_t
count_family(const struct prefix_entry *entries, size_t count, uint16_t family)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += entries[i].prefix.family == family;
	return n;
}

/* A stretch begins where a range does, and behind it. */
static size_t
stretches_most(const struct prefix_entry *entries, size_t count,
    uint16_t family)
{
	return 2 * count_family(entries, count, family);
}

size_t
prefix_map_size(const struct prefix_entry *entries, size_t count)
{
	return sizeof(struct prefix_map) +
	    stretches_most(entries, count, AF_INET) * (sizeof(uint32_t) + 4) +
	    stretches_most(entries, count, AF_INET6) * (sizeof(uint32_t) + 16);
}

/* By family, then from outside in, so that a range comes behind all that it is
 * inside of. */
static int
entry_compare(const void *one, const void *other)
{
	const struct prefix *a = &((const struct prefix_entry *)one)->prefix;
	const struct prefix *b = &((const struct prefix_entry *)other)->prefix;
	int order;

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	order = memcmp(a->ip, b->ip, sizeof(a->ip));
	return order != 0 ? order : a->bits - b->bits;
}

/* From 'start' on 'value' holds; of several with one start the last does. */
static void
table_add(struct table *t, const uint8_t *start, uint32_t value)
{
	uint32_t before = t->count > 0 ? t->values[t->count - 1] :
	    PREFIX_MAP_NONE;

	if (value == before)
		return;
	memcpy(t->starts + t->count * t->width, start, t->width);
	t->values[t->count++] = value;
}

/* The first address behind a range: 1 is added at its last bit. */
static void
level_set_end(struct level *level, const struct prefix *p)
{
	unsigned byte = (p->bits + 7u) / 8, step = 1u << (-p->bits & 7);

	memcpy(level->end, p->ip, sizeof(level->end));
	while (step != 0 && byte-- > 0) {
		step += level->end[byte];
		level->end[byte] = (uint8_t)step;
		step >>= 8;
	}
	level->endless = step != 0;
}

static void
sweep_leave(struct sweep *sweep)
{
	const struct level *left = &sweep->levels[--sweep->depth];
	uint32_t value = sweep->depth > 0 ?
	    sweep->levels[sweep->depth - 1].value : PREFIX_MAP_NONE;

	if (!left->endless)
		table_add(sweep->table, left->end, value);
}

static void
sweep_leave_until(struct sweep *sweep, const uint8_t *start)
{
	while (sweep->depth > 0) {
		const struct level *top = &sweep->levels[sweep->depth - 1];

		if (top->endless ||
		    memcmp(top->end, start, sizeof(top->end)) > 0)
			return;
		sweep_leave(sweep);
	}
}

static void
sweep_enter(struct sweep *sweep, const struct prefix_entry *entry)
{
	struct level *top;
	uint32_t value = entry->value;

	sweep_leave_until(sweep, entry->prefix.ip);
	if (sweep->depth > 0)
		value = lower(value, sweep->levels[sweep->depth - 1].value);
	/* the same range again */
	if (sweep->depth > 0 &&
	    sweep->levels[sweep->depth - 1].bits == entry->prefix.bits)
		sweep->depth--;
	top = &sweep->levels[sweep->depth++];
	level_set_end(top, &entry->prefix);
	top->bits = entry->prefix.bits;
	top->value = value;
	table_add(sweep->table, entry->prefix.ip, value);
}

static void
table_fill(struct table *table, const struct prefix_entry *entries,
    size_t count, uint16_t family)
{
	struct sweep sweep = { .table = table };

	for (size_t i = 0; i < count; i++)
		if (entries[i].prefix.family == family)
			sweep_enter(&sweep, &entries[i]);
	while (sweep.depth > 0)
		sweep_leave(&sweep);
}

static uint32_t
lowest_of_family(const struct prefix_entry *entries, size_t count,
    uint16_t family)
{
	uint32_t value = PREFIX_MAP_NONE;

	for (size_t i = 0; i < count; i++)
		if (entries[i].prefix.family == family)
			value = lower(value, entries[i].value);
	return value;
}

const struct prefix_map *
prefix_map_build(void *memory, struct prefix_entry *entries, size_t count)
{
	struct prefix_map *map = memory;
	size_t most4 = stretches_most(entries, count, AF_INET);
	size_t most6 = stretches_most(entries, count, AF_INET6);
	uint32_t *values = (uint32_t *)(map + 1);
	uint8_t *starts = (uint8_t *)(values + most4 + most6);

	if (count > 0)
		qsort(entries, count, sizeof(*entries), entry_compare);
	*map = (struct prefix_map){
		.everybody = lowest_of_family(entries, count, AF_UNSPEC),
		.unix_clients = lowest_of_family(entries, count, AF_UNIX),
		.ipv4 = { 4, 0, starts, values },
		.ipv6 = { 16, 0, starts + 4 * most4, values + most4 },
	};
	table_fill(&map->ipv4, entries, count, AF_INET);
	table_fill(&map->ipv6, entries, count, AF_INET6);
	return map;
}

/* That of the last one that begins at or before the address. */
static uint32_t
table_find(const struct table *t, const uint8_t *ip)
{
	size_t low = 0, high = t->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(t->starts + middle * t->width, ip, t->width) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? t->values[low - 1] : PREFIX_MAP_NONE;
}

uint32_t
prefix_map_find(const struct prefix_map *map, const struct peer *peer)
{
	uint32_t found = PREFIX_MAP_NONE;

	if (peer->family == AF_INET)
		found = table_find(&map->ipv4, peer->ip);
	else if (peer->family == AF_INET6)
		found = table_find(&map->ipv6, peer->ip);
	else if (peer->family == AF_UNIX)
		found = map->unix_clients;
	return lower(found, map->everybody);
}
