/* The table of consistent hashing by Eisenbud et al., "Maglev: A Fast and
 * Reliable Software Network Load Balancer" (NSDI 2016), section 3.4: each server
 * has the places in an order of its own and takes the next one that is free,
 * one after the other.  With weights, who has half the most takes a place every
 * other round.
 *
 * A server's order follows from its name and address, and who comes first from
 * that as well: the table is the same wherever there are the same servers. */
#include <stdlib.h>
#include <string.h>

#include "balance-internal.h"
#include "base/hash.h"

#define PLACES 65537 /* a prime: every step but 0 comes to all of them */
#define FREE   UINT16_MAX

struct maglev {
	uint16_t places[PLACES]; /* of endpoints */
	uint64_t ids[];		 /* of all endpoints */
};

/* A primary while the table is filled. */
struct taker {
	uint64_t id;
	uint64_t weight;
	uint64_t due; /* has a place in a round when that times 'weight' is so
			 much */
	uint32_t next, step;
	uint16_t endpoint;
};

static uint64_t
maglev_hash(const struct endpoint *e, const struct upstream_conf *conf)
{
	const char *name = conf->servers[e->line].name;
	const char *address = e->server->text;

	return hash_bytes(address, strlen(address),
	    hash_bytes(name, strlen(name), 0));
}

static int
taker_compare(const void *one, const void *other)
{
	const struct taker *a = one, *b = other;

	return a->id < b->id ? -1 : a->id > b->id;
}

/* What has no number in the table, beyond 65,535 of them, has no place. */
static size_t
maglev_takers(const struct maglev *m, const struct endpoint_set *set,
    struct taker *takers)
{
	size_t n = 0;

	for (size_t i = 0; i < set->count && i < FREE; i++) {
		if (set->endpoints[i].backup)
			continue;
		takers[n++] = (struct taker){
			.id = m->ids[i],
			.weight = set->endpoints[i].weight,
			.next = (uint32_t)(m->ids[i] % PLACES),
			.step = (uint32_t)(hash_mix(m->ids[i] + 1) %
			    (PLACES - 1) + 1),
			.endpoint = (uint16_t)i,
		};
	}
	qsort(takers, n, sizeof(*takers), taker_compare);
	return n;
}

static void
taker_advance(struct taker *t)
{
	t->next += t->step;
	if (t->next >= PLACES)
		t->next -= PLACES;
}

static void
taker_take(struct taker *t, uint16_t *places)
{
	while (places[t->next] != FREE)
		taker_advance(t);
	places[t->next] = t->endpoint;
	taker_advance(t);
}

static void
maglev_fill(struct maglev *m, struct taker *takers, size_t count)
{
	uint64_t most = 0;
	size_t filled = 0;

	for (size_t i = 0; i < count; i++)
		most = takers[i].weight > most ? takers[i].weight : most;
	for (uint64_t round = 1; count > 0; round++) {
		for (size_t i = 0; i < count; i++) {
			if (round * takers[i].weight < takers[i].due)
				continue;
			takers[i].due += most;
			taker_take(&takers[i], m->places);
			if (++filled == PLACES)
				return;
		}
	}
}

struct maglev *
maglev_new(const struct endpoint_set *set, const struct upstream_conf *conf)
{
	struct maglev *m = malloc(sizeof(*m) + set->count * sizeof(m->ids[0]));
	struct taker *takers = calloc(set->count + 1, sizeof(*takers));

	if (m == NULL || takers == NULL) {
		free(m);
		free(takers);
		return NULL;
	}
	for (size_t i = 0; i < PLACES; i++)
		m->places[i] = FREE;
	for (size_t i = 0; i < set->count; i++)
		m->ids[i] = maglev_hash(&set->endpoints[i], conf);
	maglev_fill(m, takers, maglev_takers(m, set, takers));
	free(takers);
	return m;
}

size_t
maglev_find(const struct maglev *m, uint64_t key)
{
	uint16_t i = m->places[key % PLACES];

	return i == FREE ? BALANCE_NONE : i;
}

uint64_t
maglev_id(const struct maglev *m, size_t i)
{
	return m->ids[i];
}
