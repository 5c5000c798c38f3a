/* What the ways to balance have in common. */
#ifndef SLUICE_PROXY_BALANCE_INTERNAL_H
#define SLUICE_PROXY_BALANCE_INTERNAL_H

#include "proxy/balance.h"

#define BALANCE_NONE SIZE_MAX

/* A weight of 1 when no slow start diminishes it. */
#define BALANCE_WHOLE 1000

/* Whether it might be chosen, if it had room. */
static inline bool
balance_might(const struct balance *b, const struct balance_ask *ask, size_t i,
    bool backup)
{
	const struct endpoint *e = &b->set->endpoints[i];

	if (e->backup != backup || !server_state_usable(e->server))
		return false;
	return ask->tried == NULL || (ask->tried[i / 64] >> i % 64 & 1) == 0;
}

/* Whether a session may go there.  All that is ever left out, is so here. */
static inline bool
balance_may(const struct balance *b, const struct balance_ask *ask, size_t i,
    bool backup)
{
	return balance_might(b, ask, i, backup) &&
	    !endpoint_is_full(&b->set->endpoints[i]);
}

/* How much of its weight it has now, of BALANCE_WHOLE: that grows evenly from a
 * tenth in the time after it came up. */
uint64_t balance_share(const struct balance *, const struct balance_ask *,
    size_t i);

/* Its weight now, in parts of BALANCE_WHOLE. */
uint64_t balance_weight(const struct balance *, const struct balance_ask *,
    size_t i);

/* How busy it is for its weight: of two, who has 'taken * weight of the other'
 * less is less busy. */
struct balance_load {
	uint64_t taken;
	uint64_t weight;
};
struct balance_load balance_load(const struct balance *,
    const struct balance_ask *, size_t i);

/* Below 0, 0 or above, as memcmp(3). */
int balance_load_compare(const struct balance_load *,
    const struct balance_load *);

/* Each: a primary or a backup, or BALANCE_NONE. */
size_t balance_robin(struct balance *, const struct balance_ask *, bool backup);
size_t balance_least(struct balance *, const struct balance_ask *, bool backup);
size_t balance_random(struct balance *, const struct balance_ask *,
    bool backup);
size_t balance_hash(struct balance *, const struct balance_ask *, bool backup);
size_t balance_first(struct balance *, const struct balance_ask *, bool backup);

/* balance_init() of some: where the turns begin; the weights up to each. */
void balance_robin_init(struct balance *, uint64_t random);
void balance_random_init(struct balance *);

/* balance_maglev.c: the table of BALANCE_HASH, for free(3); NULL without
 * memory. */
struct maglev *maglev_new(const struct endpoint_set *,
    const struct upstream_conf *);

/* The primary of a key, or BALANCE_NONE where there is none. */
size_t maglev_find(const struct maglev *, uint64_t key);

/* Of a server's name and address, for an endpoint. */
uint64_t maglev_id(const struct maglev *, size_t i);

#endif
