/* hash: the Maglev table, and what is done where it points to nobody. */
#include "proxy/balance.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "balance-internal.h"
#include "balancing.h"

#define PLACES 65537 /* as many as the table has */
#define KEYS   20000

static void
rig_hash(struct rig *rig, size_t count, const uint64_t *weights)
{
	rig_set(rig, count, weights);
	rig_begin(rig, BALANCE_HASH);
}

static size_t
pick_for(struct rig *rig, uint64_t key)
{
	rig->key = key;
	return pick(rig);
}

/* Where the keys go, as numbers of servers. */
static void
pick_all(struct rig *rig, uint16_t *who)
{
	for (uint64_t n = 0; n < KEYS; n++) {
		size_t i = pick_for(rig, hash_mix(n));

		assert_true(i != NOBODY);
		who[n] = (uint16_t)atoi(rig->names[i] + 1);
	}
}

/* How many places of the table each has. */
static void
count_places(struct rig *rig, unsigned *places)
{
	memset(places, 0, MOST * sizeof(*places));
	for (uint64_t n = 0; n < PLACES; n++)
		places[maglev_find(rig->set->maglev, n)]++;
}

static void
assert_places(struct rig *rig, double within)
{
	unsigned places[MOST];
	double sum = 0;

	count_places(rig, places);
	for (size_t i = 0; i < rig->set->count; i++)
		sum += rig_endpoint(rig, i)->weight;
	for (size_t i = 0; i < rig->set->count; i++) {
		double share = PLACES * (rig_endpoint(rig, i)->weight / sum);

		assert_true(places[i] > share * (1 - within) - 1.5);
		assert_true(places[i] < share * (1 + within) + 1.5);
	}
}

static void
table_is_shared_by_weight(void **state)
{
	struct rig *rig = *state;

	for (size_t count = 1; count <= 100; count += 9) {
		rig_hash(rig, count, NULL);
		assert_places(rig, 0.001);
		rig_set(rig, count, NULL);
		for (size_t i = 0; i < count; i++)
			rig_endpoint(rig, i)->weight =
			    (uint32_t)(hash_mix(i * count) % 20 + 1);
		rig_begin(rig, BALANCE_HASH);
		assert_places(rig, 0.01);
	}
	rig_hash(rig, 3, (const uint64_t[]){ 1000, 1, 10 });
	assert_places(rig, 0.01);
	rig_hash(rig, MOST, NULL);
	assert_places(rig, 0.001);
}

/* Clients of one network, as they come. */
static void
clients_are_shared_by_weight(void **state)
{
	static const double weights[] = { 1, 2, 3, 4, 6 };
	struct rig *rig = *state;
	struct peer peer = { .family = AF_INET, .ip = { 192, 168 } };

	rig_hash(rig, 5, (const uint64_t[]){ 1, 2, 3, 4, 6 });
	for (unsigned n = 0; n < 32000; n++) {
		peer.ip[2] = (uint8_t)(n >> 8);
		peer.ip[3] = (uint8_t)n;
		pick_for(rig, balance_key_client(&peer));
	}
	for (size_t i = 0; i < 5; i++) {
		assert_true(rig->picked[i] > 2000 * weights[i] * 0.94);
		assert_true(rig->picked[i] < 2000 * weights[i] * 1.06);
	}
}

/* The lines of one file stand in another order in another's. */
static void
order_says_nothing(void **state)
{
	static uint16_t before[KEYS], after[KEYS];
	struct rig *rig = *state;

	rig_set(rig, 50, NULL);
	for (size_t i = 0; i < 50; i++)
		rig_endpoint(rig, i)->weight = (uint32_t)(i % 7 + 1);
	rig_begin(rig, BALANCE_HASH);
	pick_all(rig, before);
	for (unsigned turn = 0; turn < 3; turn++) {
		endpoint_set_unref(rig->set);
		rig->set = endpoint_set_new(0, 50);
		for (size_t i = 0; i < 50; i++) {
			size_t who = (i * 17 + turn * 5) % 50;

			rig_place(rig, i, who, who % 7 + 1);
		}
		rig_begin(rig, BALANCE_HASH);
		pick_all(rig, after);
		assert_memory_equal(before, after, sizeof(before));
	}
}

/* Written down, since other machines and versions have to agree. */
static void
table_stays_what_it_is(void **state)
{
	static const size_t WHO[8] = { 0, 3, 1, 3, 2, 4, 0, 2 };
	struct rig *rig = *state;

	rig_hash(rig, 5, (const uint64_t[]){ 1, 2, 3, 1, 1 });
	for (uint64_t n = 0; n < 8; n++)
		assert_int_equal(pick_for(rig, hash_mix(n)), WHO[n]);
}

/* Removing the server 'gone' of n: whose keys move though they need not, as a
 * share of all. */
static double
moved_by(struct rig *rig, size_t count, size_t gone)
{
	static uint16_t before[KEYS], after[KEYS];
	unsigned moved = 0;

	rig_hash(rig, count, NULL);
	pick_all(rig, before);
	endpoint_set_unref(rig->set);
	rig->set = endpoint_set_new(0, count - 1);
	for (size_t i = 0; i < count - 1; i++)
		rig_place(rig, i, i < gone ? i : i + 1, 1);
	rig_begin(rig, BALANCE_HASH);
	pick_all(rig, after);
	for (size_t n = 0; n < KEYS; n++)
		moved += before[n] != gone + 1 && after[n] != before[n];
	return (double)moved / KEYS;
}

/* And the other way round: who joins takes what it would leave. */
static void
few_move_when_one_leaves_or_joins(void **state)
{
	static const size_t COUNTS[] = { 3, 10, 100 };
	struct rig *rig = *state;

	for (size_t c = 0; c < 3; c++) {
		double sum = 0, worst = 0;

		for (size_t gone = 0; gone < 3; gone++) {
			double moved = moved_by(rig, COUNTS[c], gone);

			worst = moved > worst ? moved : worst;
			sum += moved / 3;
		}
		print_message("maglev: one of %zu leaves or joins: %.1f %% of "
		    "the sessions are its own, %.2f %% move besides "
		    "(at most %.2f %%)\n", COUNTS[c],
		    100.0 / (double)COUNTS[c], 100 * sum, 100 * worst);
		assert_true(worst < 0.03);
	}
}

/* A server that is down keeps its places: the others' sessions stay. */
static void
only_the_lost_ones_move(void **state)
{
	static uint16_t before[KEYS], after[KEYS];
	struct rig *rig = *state;
	unsigned moved = 0, got[10] = { 0 };

	rig_hash(rig, 10, NULL);
	pick_all(rig, before);
	take_out(rig, 4, SERVER_EJECTED);
	pick_all(rig, after);
	for (size_t n = 0; n < KEYS; n++) {
		if (before[n] != 5) {
			assert_int_equal(after[n], before[n]);
			continue;
		}
		moved++;
		got[after[n] - 1]++;
	}
	assert_int_equal(got[4], 0);
	for (size_t i = 0; i < 10; i++) /* they are spread */
		assert_true(i == 4 || (got[i] > moved / 13 &&
		    got[i] < moved / 6));
	take_out(rig, 4, 0);
	pick_all(rig, after);
	assert_memory_equal(before, after, sizeof(before));
}

/* A fail-over goes where the session would go, were that one out. */
static void
tried_is_as_out(void **state)
{
	struct rig *rig = *state;

	rig_hash(rig, 6, NULL);
	for (uint64_t n = 0; n < 1000; n++) {
		size_t one = pick_for(rig, hash_mix(n)), other;

		try(rig, one);
		other = pick_for(rig, hash_mix(n));
		assert_int_not_equal(one, other);
		forget(rig);
		take_out(rig, one, SERVER_FAILING);
		assert_int_equal(pick_for(rig, hash_mix(n)), other);
		take_out(rig, one, 0);
	}
}

/* Most are out, and hashing again finds nobody: by rendezvous then, which is
 * as even, and the same for all. */
static void
few_are_left(void **state)
{
	static uint16_t before[KEYS], after[KEYS];
	static const double weights[] = { 1, 2, 3, 4 };
	struct rig *rig = *state;

	rig_set(rig, MOST, NULL);
	for (size_t i = 0; i < MOST; i++)
		rig_endpoint(rig, i)->weight = i < 4 ? (uint32_t)i + 1 : 1000;
	rig_begin(rig, BALANCE_HASH);
	for (size_t i = 4; i < MOST; i++)
		take_out(rig, i, SERVER_FAILING);
	pick_all(rig, before);
	for (size_t i = 0; i < 4; i++) {
		assert_true(rig->picked[i] > KEYS / 10 * weights[i] * 0.92);
		assert_true(rig->picked[i] < KEYS / 10 * weights[i] * 1.08);
	}
	take_out(rig, 2, SERVER_FAILING);
	pick_all(rig, after);
	for (size_t n = 0; n < KEYS; n++)
		assert_true(before[n] == 3 || after[n] == before[n]);
}

static void
backups_agree_too(void **state)
{
	static uint16_t before[KEYS], after[KEYS];
	struct rig *rig = *state;

	rig_set(rig, 6, NULL);
	for (size_t i = 2; i < 6; i++)
		rig_endpoint(rig, i)->backup = true;
	rig_begin(rig, BALANCE_HASH);
	for (uint64_t n = 0; n < 1000; n++)
		assert_true(pick_for(rig, hash_mix(n)) < 2);
	take_out(rig, 0, SERVER_FAILING);
	take_out(rig, 1, SERVER_FAILING);
	memset(rig->picked, 0, sizeof(rig->picked));
	pick_all(rig, before);
	for (size_t i = 2; i < 6; i++)
		assert_in_range(rig->picked[i], KEYS / 5, KEYS / 10 * 3);
	endpoint_set_unref(rig->set);
	rig->set = endpoint_set_new(0, 4);
	for (size_t i = 0; i < 4; i++) {
		rig_place(rig, i, 5 - i, 1);
		rig_endpoint(rig, i)->backup = true;
	}
	rig_begin(rig, BALANCE_HASH);
	pick_all(rig, after);
	assert_memory_equal(before, after, sizeof(before));
}

/* Who adds one moves nobody. */
static void
backups_have_no_place_in_the_table(void **state)
{
	static uint16_t before[KEYS], after[KEYS];
	struct rig *rig = *state;

	rig_hash(rig, 3, NULL);
	pick_all(rig, before);
	rig_set(rig, 5, NULL);
	for (size_t i = 3; i < 5; i++)
		rig_endpoint(rig, i)->backup = true;
	rig_begin(rig, BALANCE_HASH);
	pick_all(rig, after);
	assert_memory_equal(before, after, sizeof(before));
}

/* Each worker has a state of its own, and no say in it. */
static void
workers_agree(void **state)
{
	struct rig *rig = *state;
	int64_t current[9] = { 0 };
	struct balance other;

	rig_hash(rig, 9, NULL);
	balance_init(&other, rig->set, current, 12345);
	for (uint64_t n = 0; n < 1000; n++) {
		struct balance_ask ask = { .random = n, .key = hash_mix(n) };
		size_t i;

		balance_pick(&other, &ask, &i);
		assert_int_equal(pick_for(rig, hash_mix(n)), i);
	}
}

/* --- keys */

static uint64_t
key_of(const char *ip, uint16_t port)
{
	struct addr addr;
	struct peer peer;

	assert_int_equal(addr_from_ip(&addr, ip, port), 0);
	peer_from_sockaddr(&peer, &addr.sa);
	return balance_key_client(&peer);
}

static void
key_is_the_address(void **state)
{
	struct peer mapped = { .family = AF_INET6, .port = 9,
		.ip = { [10] = 255, 255, 192, 0, 2, 7 } };
	struct peer nameless = { .family = AF_UNIX };

	(void)state;
	assert_true(key_of("192.0.2.7", 1) == key_of("192.0.2.7", 50000));
	assert_true(key_of("192.0.2.7", 1) != key_of("192.0.2.8", 1));
	assert_true(key_of("192.0.2.7", 1) == balance_key_client(&mapped));
	assert_true(key_of("2001:db8::1", 1) == key_of("2001:db8::1", 2));
	assert_true(key_of("2001:db8::1", 1) != key_of("2001:db8::2", 1));
	assert_true(balance_key_client(&nameless) == 0);
	assert_true(balance_key_name("a.example") !=
	    balance_key_name("b.example"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_RIG(table_is_shared_by_weight),
		ON_RIG(clients_are_shared_by_weight),
		ON_RIG(order_says_nothing),
		ON_RIG(table_stays_what_it_is),
		ON_RIG(few_move_when_one_leaves_or_joins),
		ON_RIG(only_the_lost_ones_move),
		ON_RIG(tried_is_as_out),
		ON_RIG(few_are_left),
		ON_RIG(backups_agree_too),
		ON_RIG(backups_have_no_place_in_the_table),
		ON_RIG(workers_agree),
		cmocka_unit_test(key_is_the_address),
	};

	return cmocka_run_group_tests_name("balance hash", tests, NULL, NULL);
}
