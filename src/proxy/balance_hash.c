/* Who has the same key comes to the same server, whoever of several daemons is
 * asked.  Where that one is out the key is hashed again, so that only its own
 * sessions move, and to all the others; they come back with it. */
#include <string.h>

#include "balance-internal.h"
#include "base/hash.h"

#define REHASHES 32 /* before all are asked */
#define LOG_BITS 24

uint64_t
balance_key_client(const struct peer *peer)
{
	static const uint8_t MAPPED[12] = { [10] = 0xff, [11] = 0xff };

	switch (peer->family) {
	case AF_INET:
		return hash_bytes(peer->ip, 4, 0);
	case AF_INET6:
		return memcmp(peer->ip, MAPPED, 12) == 0 ?
		    hash_bytes(peer->ip + 12, 4, 0) :
		    hash_bytes(peer->ip, 16, 0);
	}
	return 0;
}

uint64_t
balance_key_name(const char *name)
{
	return hash_bytes(name, strlen(name), 0);
}

/* -log2(x / 2^64) in 2^-24, by integers: all machines agree to the bit. */
static uint64_t
hash_log(uint64_t x)
{
	unsigned zeros = (unsigned)__builtin_clzll(x | 1);
	uint64_t log = 0;

	x = (x | 1) << zeros >> 32; /* 1 to 2, in 2^-31 */
	for (unsigned bit = 0; bit < LOG_BITS; bit++) {
		x = x * x >> 31;
		log = log << 1 | x >> 32;
		x >>= x >> 32;
	}
	return ((UINT64_C(1) + zeros) << LOG_BITS) - log;
}

/* Highest random weight (Thaler and Ravishankar 1998): each draws a number for
 * the key, and -log(number) / weight is least for each as often as it has
 * weight. */
static size_t
hash_rendezvous(const struct balance *b, const struct balance_ask *ask,
    bool backup)
{
	uint64_t best_log = 0, best_weight = 0;
	size_t best = BALANCE_NONE;

	for (size_t i = 0; i < b->set->count; i++) {
		uint64_t weight = b->set->endpoints[i].weight, log;

		if (!balance_may(b, ask, i, backup))
			continue;
		log = hash_log(hash_mix(ask->key ^
		    maglev_id(b->set->maglev, i)));
		if (best != BALANCE_NONE &&
		    log * best_weight >= best_log * weight)
			continue;
		best = i;
		best_log = log;
		best_weight = weight;
	}
	return best;
}

size_t
balance_hash(struct balance *b, const struct balance_ask *ask, bool backup)
{
	uint64_t key = ask->key;

	for (uint64_t n = 0; n < REHASHES && !backup; n++) {
		size_t i = maglev_find(b->set->maglev, key);

		if (i == BALANCE_NONE)
			break;
		if (balance_may(b, ask, i, backup))
			return i;
		key = hash_mix(ask->key + n + 1);
	}
	return hash_rendezvous(b, ask, backup);
}
