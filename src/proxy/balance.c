#include "proxy/balance.h"

#include <errno.h>
#include <stdio.h>

#include "balance-internal.h"

static size_t (*const WAYS[BALANCE_KINDS])(struct balance *,
    const struct balance_ask *, bool backup) = {
	[BALANCE_ROUND_ROBIN] = balance_robin,
	[BALANCE_LEAST_SESSIONS] = balance_least,
	[BALANCE_RANDOM_TWO] = balance_random,
	[BALANCE_HASH] = balance_hash,
	[BALANCE_FIRST] = balance_first,
};

int
balance_prepare(struct endpoint_set *set, const struct upstream_conf *conf)
{
	set->balance = conf->balance;
	set->slow_start = conf->slow_start;
	if (set->balance != BALANCE_HASH)
		return 0;
	set->maglev = maglev_new(set, conf);
	return set->maglev == NULL ? -ENOMEM : 0;
}

/* There is a primary, and all have the same weight. */
static bool
balance_is_equal(const struct endpoint_set *set)
{
	const struct endpoint *first = NULL;

	for (size_t i = 0; i < set->count; i++) {
		const struct endpoint *e = &set->endpoints[i];

		if (e->backup)
			continue;
		if (first != NULL && e->weight != first->weight)
			return false;
		first = e;
	}
	return first != NULL;
}

void
balance_init(struct balance *b, const struct endpoint_set *set,
    int64_t *current, uint64_t random)
{
	*b = (struct balance){ .set = set, .current = current,
		.equal = balance_is_equal(set) };
	if (set->balance == BALANCE_RANDOM_TWO)
		balance_random_init(b);
	else
		balance_robin_init(b, random);
}

uint64_t
balance_share(const struct balance *b, const struct balance_ask *ask, size_t i)
{
	uint64_t whole = b->set->slow_start, since, age;

	if (whole == 0)
		return BALANCE_WHOLE;
	since = atomic_load_explicit(&b->set->endpoints[i].server->up_since,
	    memory_order_relaxed);
	age = ask->now > since ? ask->now - since : 0;
	if (since == 0 || age >= whole)
		return BALANCE_WHOLE;
	return BALANCE_WHOLE / 10 + BALANCE_WHOLE * 9 / 10 * age / whole;
}

uint64_t
balance_weight(const struct balance *b, const struct balance_ask *ask, size_t i)
{
	return b->set->endpoints[i].weight * balance_share(b, ask, i);
}

struct balance_load
balance_load(const struct balance *b, const struct balance_ask *ask, size_t i)
{
	return (struct balance_load){
		.taken = atomic_load_explicit(
		    &b->set->endpoints[i].server->taken, memory_order_relaxed),
		.weight = balance_weight(b, ask, i),
	};
}

int
balance_load_compare(const struct balance_load *one,
    const struct balance_load *other)
{
	uint64_t a = one->taken * other->weight;
	uint64_t b = other->taken * one->weight;

	return a < b ? -1 : a > b;
}

bool
balance_has_usable(const struct endpoint_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		if (server_state_usable(set->endpoints[i].server))
			return true;
	return false;
}

/* Whether one would do, if it had room: then no backup takes its place. */
static bool
balance_has_any(const struct balance *b, const struct balance_ask *ask,
    bool backup)
{
	for (size_t i = 0; i < b->set->count; i++)
		if (balance_might(b, ask, i, backup))
			return true;
	return false;
}

enum balance_answer
balance_pick(struct balance *b, const struct balance_ask *ask, size_t *picked)
{
	for (int backup = 0; backup < 2; backup++) {
		*picked = WAYS[b->set->balance](b, ask, backup);
		if (*picked != BALANCE_NONE)
			return BALANCE_PICKED;
		if (balance_has_any(b, ask, backup))
			return BALANCE_FULL;
	}
	return balance_has_usable(b->set) ? BALANCE_ALL_TRIED :
	    BALANCE_NONE_USABLE;
}

bool
balance_has_room(const struct balance *b, const struct balance_ask *ask)
{
	bool primary = balance_has_any(b, ask, false);

	for (size_t i = 0; i < b->set->count; i++)
		if (balance_may(b, ask, i, !primary))
			return true;
	return false;
}

/* What an operator did is told before what was found out. */
static const char *
balance_state(unsigned out)
{
	static const struct {
		unsigned    bit;
		const char *text;
	} ROWS[] = {
		{ SERVER_DISABLED, "was taken out" },
		{ SERVER_DRAINING, "drains" },
		{ SERVER_FAILING, "fails its check" },
		{ SERVER_EJECTED, "is ejected" },
	};

	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
		if ((out & ROWS[i].bit) != 0)
			return ROWS[i].text;
	return "is up again";
}

const char *
balance_why(const struct endpoint_set *set, char *text, size_t size)
{
	size_t used;

	used = (size_t)(set->count == 1 ?
	    snprintf(text, size, "the only server is down") :
	    snprintf(text, size, "all %zu servers are down", set->count));
	for (size_t i = 0; i < set->count && used < size; i++) {
		struct server_state *server = set->endpoints[i].server;

		used += (size_t)snprintf(text + used, size - used, "%s %s %s",
		    i == 0 ? ":" : ",", server->text, balance_state(
		    atomic_load_explicit(&server->out, memory_order_relaxed)));
	}
	return text;
}
