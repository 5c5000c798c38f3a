/* Round robin, and what all ways have in common. */
#include "proxy/balance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "balancing.h"

#define MANY 130

static void
rig_robin(struct rig *rig, size_t count, const uint64_t *weights)
{
	rig_set(rig, count, weights);
	rig_begin(rig, BALANCE_ROUND_ROBIN);
}

static void
equal_ones_take_turns(void **state)
{
	struct rig *rig = *state;

	rig_robin(rig, 3, NULL);
	assert_string_equal(picks(rig, 9), "abcabcabc");
}

/* Seen from its second pick on, the cycle is a b a c a a a. */
static void
heavy_one_is_spread(void **state)
{
	struct rig *rig = *state;

	rig_robin(rig, 3, (const uint64_t[]){ 5, 1, 1 });
	assert_string_equal(picks(rig, 15), "aabacaaaabacaaa");
}

static void
weights_are_exact_over_a_cycle(void **state)
{
	static const uint64_t weights[] = { 3, 1, 1000, 7, 20, 1, 96 };
	struct rig *rig = *state;
	size_t count = sizeof(weights) / sizeof(weights[0]), cycle = 0;

	rig_robin(rig, count, weights);
	for (size_t i = 0; i < count; i++)
		cycle += weights[i];
	for (unsigned turn = 1; turn <= 3; turn++) {
		for (size_t n = 0; n < cycle; n++)
			pick(rig);
		for (size_t i = 0; i < count; i++) {
			assert_int_equal(rig->picked[i], turn * weights[i]);
			assert_int_equal(rig->current[i], 0);
		}
	}
}

/* In no stretch does anyone get more than its share and one. */
static void
nobody_is_ahead_by_more_than_one(void **state)
{
	static const uint64_t weights[] = { 4, 3, 2, 1 };
	struct rig *rig = *state;

	rig_robin(rig, 4, weights);
	for (unsigned n = 1; n <= 100; n++) {
		pick(rig);
		for (size_t i = 0; i < 4; i++) {
			double share = n * weights[i] / 10.0;

			assert_true(rig->picked[i] < share + 1);
			assert_true(rig->picked[i] > share - 1);
		}
	}
}

static void
tried_ones_are_left_out(void **state)
{
	struct rig *rig = *state;

	rig_robin(rig, 3, (const uint64_t[]){ 5, 1, 1 });
	try(rig, 0);
	assert_string_equal(picks(rig, 6), "bcbcbc");
	try(rig, 2);
	assert_string_equal(picks(rig, 3), "bbb");
	forget(rig);
	assert_string_equal(picks(rig, 7), "aabacaa");
}

/* A fail-over takes each once. */
static void
fail_over_reaches_every_one(void **state)
{
	struct rig *rig = *state;
	size_t i;

	rig_robin(rig, MANY, NULL);
	for (size_t n = 0; n < MANY; n++) {
		i = pick(rig);
		assert_true(i != NOBODY);
		try(rig, i);
	}
	for (i = 0; i < MANY; i++)
		assert_int_equal(rig->picked[i], 1);
	assert_true(pick(rig) == NOBODY);
}

static void
bits_of_every_word_count(void **state)
{
	static const size_t last[] = { 0, 1, 31, 32, 62, 63, 64, 65, 127, 128,
		129 };
	struct rig *rig = *state;

	rig_robin(rig, MANY, NULL);
	for (size_t n = 0; n < sizeof(last) / sizeof(last[0]); n++) {
		forget(rig);
		for (size_t i = 0; i < MANY; i++)
			if (i != last[n])
				try(rig, i);
		assert_int_equal(pick(rig), last[n]);
		try(rig, last[n]);
		assert_true(pick(rig) == NOBODY);
	}
}

static void
backups_wait_for_the_last_primary(void **state)
{
	struct rig *rig = *state;

	rig_robin(rig, 5, (const uint64_t[]){ 9, 1, 1, 2, 1 });
	rig->set->endpoints[0].backup = true;
	rig->set->endpoints[3].backup = true;
	rig_begin(rig, BALANCE_ROUND_ROBIN);
	for (unsigned n = 0; n < 30; n++)
		pick(rig);
	assert_int_equal(rig->picked[0] + rig->picked[3], 0);
	assert_int_equal(rig->current[0], 0); /* nor do they save up */

	try(rig, 1);
	try(rig, 2);
	assert_string_equal(picks(rig, 3), "eee");
	try(rig, 4);
	for (unsigned n = 0; n < 11; n++)
		pick(rig);
	assert_int_equal(rig->picked[0], 9);
	assert_int_equal(rig->picked[3], 2);
	try(rig, 0);
	assert_string_equal(picks(rig, 2), "dd");
	try(rig, 3);
	assert_true(pick(rig) == NOBODY);
}

static void
backups_alone_serve(void **state)
{
	struct rig *rig = *state;

	rig_robin(rig, 2, NULL);
	rig->set->endpoints[0].backup = rig->set->endpoints[1].backup = true;
	rig_begin(rig, BALANCE_ROUND_ROBIN);
	assert_string_equal(picks(rig, 4), "abab");
}

static void
none_in_an_empty_set(void **state)
{
	struct rig *rig = *state;

	for (unsigned kind = 0; kind < BALANCE_KINDS; kind++) {
		rig_set(rig, 0, NULL);
		rig_begin(rig, kind);
		assert_true(pick(rig) == NOBODY);
		assert_int_equal(rig->answer, BALANCE_NONE_USABLE);
	}
}

/* Whatever the weights and however many: near the share at any time, and exact
 * at the end of a cycle. */
static void
shares_of_any_number(void **state)
{
	struct rig *rig = *state;
	uint64_t weights[100];

	for (size_t count = 1; count <= 100; count++) {
		double sum = 0;
		unsigned n = 0;

		for (size_t i = 0; i < count; i++) {
			weights[i] = hash_mix(count * 1000 + i) % 50 + 1;
			sum += (double)weights[i];
		}
		rig_robin(rig, count, weights);
		for (unsigned turn = 0; turn < 4; turn++) {
			while (n < sum * (turn + 1) / 4) {
				pick(rig);
				n++;
			}
			for (size_t i = 0; i < count; i++) {
				double share = n * (double)weights[i] / sum;

				assert_true(rig->picked[i] < share + 3);
				assert_true(rig->picked[i] > share - 3);
			}
		}
		for (size_t i = 0; i < count; i++)
			assert_int_equal(rig->picked[i], weights[i]);
	}
}

/* Who takes an absent one's turns is not always the same. */
static void
equal_ones_share_the_turns_of_an_absent_one(void **state)
{
	struct rig *rig = *state;

	rig_robin(rig, 5, NULL);
	rig_endpoint(rig, 4)->backup = true;
	rig_begin(rig, BALANCE_ROUND_ROBIN);
	take_out(rig, 1, SERVER_FAILING);
	assert_string_equal(picks(rig, 9), "acdacdacd");
	take_out(rig, 1, 0);
	assert_string_equal(picks(rig, 8), "abcdabcd");
	for (unsigned n = 0; n < 9; n++) { /* a refuses all */
		forget(rig);
		if (pick(rig) == 0) {
			try(rig, 0);
			pick(rig);
		}
	}
	assert_int_equal(rig->picked[4], 0);
	assert_int_equal(rig->picked[1], rig->picked[2] - 3);
	assert_int_equal(rig->picked[2], rig->picked[3]);
}

/* --- all ways */

static const unsigned OUT[] = { SERVER_FAILING, SERVER_EJECTED,
	SERVER_DISABLED, SERVER_DRAINING, SERVER_DISABLED | SERVER_FAILING };

static void
who_is_out_is_never_picked(void **state)
{
	struct rig *rig = *state;

	for (unsigned kind = 0; kind < BALANCE_KINDS; kind++) {
		rig_set(rig, 40, NULL);
		rig_endpoint(rig, 7)->backup = true;
		rig_endpoint(rig, 30)->backup = true;
		rig_endpoint(rig, 11)->weight = 1000;
		rig_begin(rig, kind);
		for (size_t i = 0; i < 40; i++)
			if (i % 10 != 1)
				take_out(rig, i, OUT[i % 5]);
		for (unsigned n = 0; n < 2000; n++) {
			rig->key = hash_mix(n);
			assert_int_equal(pick(rig) % 10, 1);
			assert_int_equal(rig->answer, BALANCE_PICKED);
		}
	}
}

/* A fail-over comes to each of them once, to backups last. */
static void
fail_over_of_any_way(void **state)
{
	struct rig *rig = *state;

	for (unsigned kind = 0; kind < BALANCE_KINDS; kind++) {
		rig_set(rig, 70, NULL);
		for (size_t i = 0; i < 70; i += 10)
			rig_endpoint(rig, i)->backup = true;
		rig_begin(rig, kind);
		forget(rig);
		take_out(rig, 13, SERVER_EJECTED);
		take_out(rig, 20, SERVER_EJECTED);
		for (unsigned n = 0; n < 68; n++) {
			size_t i = pick(rig);

			assert_int_equal(rig->answer, BALANCE_PICKED);
			assert_int_equal(rig->picked[i], 1);
			assert_int_equal(i % 10 == 0, n >= 62);
			try(rig, i);
		}
		assert_true(pick(rig) == NOBODY);
		assert_int_equal(rig->answer, BALANCE_ALL_TRIED);
		forget(rig);
		for (size_t i = 0; i < 70; i++)
			take_out(rig, i, SERVER_FAILING);
		assert_true(pick(rig) == NOBODY);
		assert_int_equal(rig->answer, BALANCE_NONE_USABLE);
	}
}

/* Who is full is passed over, but no backup stands in for him. */
static void
full_ones_of_any_way(void **state)
{
	struct rig *rig = *state;

	for (unsigned kind = 0; kind < BALANCE_KINDS; kind++) {
		rig_set(rig, 12, NULL);
		rig_endpoint(rig, 0)->backup = true;
		for (size_t i = 1; i < 12; i++)
			rig_endpoint(rig, i)->max = i;
		rig_begin(rig, kind);
		for (unsigned n = 0; n < 66; n++) {
			rig->key = hash_mix(n);
			rig_server(rig, pick(rig))->taken++;
			assert_int_equal(rig->answer, BALANCE_PICKED);
		}
		for (size_t i = 0; i < 12; i++)
			assert_int_equal(rig_server(rig, i)->taken, i);
		assert_true(pick(rig) == NOBODY);
		assert_int_equal(rig->answer, BALANCE_FULL);
		for (size_t i = 1; i < 12; i++)
			take_out(rig, i, SERVER_FAILING);
		assert_int_equal(pick(rig), 0);
	}
}

/* A backup's room is none while a primary is up. */
static void
room_is_where_a_session_may_go(void **state)
{
	const struct balance_ask ask = { .now = NOW };
	struct rig *rig = *state;

	rig_set(rig, 2, NULL);
	rig_endpoint(rig, 1)->backup = true;
	for (size_t i = 0; i < 2; i++)
		rig_endpoint(rig, i)->max = 1;
	rig_begin(rig, BALANCE_ROUND_ROBIN);
	assert_true(balance_has_room(&rig->balance, &ask));
	rig_server(rig, 0)->taken = 1;
	assert_false(balance_has_room(&rig->balance, &ask));
	take_out(rig, 0, SERVER_FAILING);
	assert_true(balance_has_room(&rig->balance, &ask));
	rig_server(rig, 1)->taken = 1;
	assert_false(balance_has_room(&rig->balance, &ask));
	rig_server(rig, 1)->taken = 0;
	take_out(rig, 1, SERVER_DISABLED);
	assert_false(balance_has_room(&rig->balance, &ask));
}

/* Workers that begin together do not all begin with the same. */
static void
turns_begin_by_chance(void **state)
{
	static const uint64_t heavy[] = { 1, 1, 2 };
	struct rig *rig = *state;

	for (int equal = 0; equal < 2; equal++) {
		bool first[3] = { false };

		rig_set(rig, 3, equal ? NULL : heavy);
		rig_begin(rig, BALANCE_ROUND_ROBIN);
		for (uint64_t random = 0; random < 3; random++) {
			memset(rig->current, 0, sizeof(rig->current));
			balance_init(&rig->balance, rig->set, rig->current,
			    random);
			first[pick(rig)] = true;
		}
		assert_true(first[0] && first[1] && first[2]);
	}
}

static void
one_server_is_picked_by_any_way(void **state)
{
	struct rig *rig = *state;

	for (unsigned kind = 0; kind < BALANCE_KINDS; kind++) {
		rig_set(rig, 1, (const uint64_t[]){ 1000 });
		rig_begin(rig, kind);
		assert_string_equal(picks(rig, 5), "aaaaa");
	}
}

static void
why_nobody_is_left(void **state)
{
	struct rig *rig = *state;
	char text[256];

	rig_robin(rig, 3, NULL);
	take_out(rig, 0, SERVER_FAILING | SERVER_DRAINING);
	take_out(rig, 1, SERVER_EJECTED);
	take_out(rig, 2, SERVER_FAILING);
	assert_string_equal(balance_why(rig->set, text, sizeof(text)),
	    "all 3 servers are down: 10.0.0.1:80 drains, 10.0.0.2:80 is "
	    "ejected, 10.0.0.3:80 fails its check");
	assert_string_equal(balance_why(rig->set, text, 40),
	    "all 3 servers are down: 10.0.0.1:80 dra");
	rig_robin(rig, 1, NULL);
	take_out(rig, 0, SERVER_DISABLED);
	assert_string_equal(balance_why(rig->set, text, sizeof(text)),
	    "the only server is down: 10.0.0.1:80 was taken out");
}

/* --- slow start */

static void
rig_slow(struct rig *rig, enum balance_kind kind)
{
	rig_set(rig, 4, NULL);
	rig->conf.slow_start = 10000;
	rig_begin(rig, kind);
	rig_server(rig, 3)->up_since = NOW;
}

/* Of 'n' picks at a time after it came up (before it, for a worker whose time
 * is older than the news), in parts of what it gets later. */
static double
share_after(struct rig *rig, int64_t ms, unsigned n)
{
	double others = 0;

	rig->now = NOW + (uint64_t)ms;
	memset(rig->picked, 0, sizeof(rig->picked));
	for (unsigned i = 0; i < n; i++)
		pick(rig);
	for (size_t i = 0; i < 3; i++)
		others += rig->picked[i];
	return rig->picked[3] / (others / 3);
}

static void
assert_curve(struct rig *rig, unsigned n, double within)
{
	static const double CURVE[][2] = { { -100, 0.1 }, { 0, 0.1 },
		{ 1000, 0.19 }, { 5000, 0.55 }, { 9000, 0.91 }, { 10000, 1 },
		{ 99999, 1 } };

	for (size_t i = 0; i < sizeof(CURVE) / sizeof(CURVE[0]); i++) {
		double share = share_after(rig, (int64_t)CURVE[i][0], n);

		assert_true(share > CURVE[i][1] - within);
		assert_true(share < CURVE[i][1] + within);
	}
}

static void
slow_start_of_round_robin(void **state)
{
	rig_slow(*state, BALANCE_ROUND_ROBIN);
	assert_curve(*state, 4000, 0.01);
}

/* All of them came up just now: they are equal again. */
static void
slow_start_of_all_is_round_robin(void **state)
{
	struct rig *rig = *state;

	rig_set(rig, 3, NULL);
	rig->set->slow_start = rig->conf.slow_start = 10000;
	for (size_t i = 0; i < 3; i++)
		rig_server(rig, i)->up_since = NOW - 1;
	rig_begin(rig, BALANCE_ROUND_ROBIN);
	for (unsigned n = 0; n < 60; n++)
		pick(rig);
	for (size_t i = 0; i < 3; i++)
		assert_in_range(rig->picked[i], 18, 22);
}

/* Idle servers take turns by what they weigh. */
static void
slow_start_of_least_sessions(void **state)
{
	rig_slow(*state, BALANCE_LEAST_SESSIONS);
	assert_curve(*state, 4000, 0.01);
}

/* Both the draw and the comparison go by it: idle, the draw alone. The weaker
 * of two draws without replacement is drawn a little more often than it weighs.
 */
static void
slow_start_of_random_two(void **state)
{
	rig_slow(*state, BALANCE_RANDOM_TWO);
	assert_curve(*state, 40000, 0.04);
}

/* Whose sessions stay is filled up to a tenth first, and no more. */
static void
slow_start_fills_up(void **state)
{
	struct rig *rig = *state;

	rig_slow(rig, BALANCE_LEAST_SESSIONS);
	for (size_t i = 0; i < 3; i++)
		rig_server(rig, i)->taken = 100;
	rig->now = NOW;
	for (unsigned n = 0; n < 10; n++)
		rig_server(rig, pick(rig))->taken++;
	assert_int_equal(rig_server(rig, 3)->taken, 10);
	for (unsigned n = 0; n < 31; n++)
		rig_server(rig, pick(rig))->taken++;
	assert_int_equal(rig_server(rig, 3)->taken, 11);
	rig->now = NOW + 10000;
	for (unsigned n = 0; n < 99; n++)
		rig_server(rig, pick(rig))->taken++;
	assert_int_equal(rig_server(rig, 3)->taken, 110);
}

static void
slow_start_is_ignored_by_the_rest(void **state)
{
	struct rig *rig = *state;

	rig_slow(rig, BALANCE_FIRST);
	rig_server(rig, 0)->up_since = NOW;
	assert_string_equal(picks(rig, 3), "aaa");
	rig_slow(rig, BALANCE_HASH);
	for (uint64_t n = 0; n < 1000; n++) {
		rig->key = hash_mix(n);
		pick(rig);
	}
	assert_in_range(rig->picked[3], 200, 300);
}

/* It may be all there is, and a worker's time may be older than the news. */
static void
slow_start_keeps_nobody_waiting(void **state)
{
	struct rig *rig = *state;

	for (unsigned kind = 0; kind < BALANCE_KINDS; kind++) {
		rig_slow(rig, kind);
		for (size_t i = 0; i < 3; i++)
			take_out(rig, i, SERVER_FAILING);
		rig->now = NOW - 100;
		assert_string_equal(picks(rig, 4), "dddd");
		rig_endpoint(rig, 3)->backup = true;
		rig_begin(rig, kind);
		assert_string_equal(picks(rig, 4), "dddd");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_RIG(equal_ones_take_turns),
		ON_RIG(heavy_one_is_spread),
		ON_RIG(weights_are_exact_over_a_cycle),
		ON_RIG(nobody_is_ahead_by_more_than_one),
		ON_RIG(tried_ones_are_left_out),
		ON_RIG(fail_over_reaches_every_one),
		ON_RIG(bits_of_every_word_count),
		ON_RIG(backups_wait_for_the_last_primary),
		ON_RIG(backups_alone_serve),
		ON_RIG(none_in_an_empty_set),
		ON_RIG(shares_of_any_number),
		ON_RIG(equal_ones_share_the_turns_of_an_absent_one),
		ON_RIG(who_is_out_is_never_picked),
		ON_RIG(fail_over_of_any_way),
		ON_RIG(full_ones_of_any_way),
		ON_RIG(room_is_where_a_session_may_go),
		ON_RIG(turns_begin_by_chance),
		ON_RIG(one_server_is_picked_by_any_way),
		ON_RIG(why_nobody_is_left),
		ON_RIG(slow_start_of_round_robin),
		ON_RIG(slow_start_of_all_is_round_robin),
		ON_RIG(slow_start_of_least_sessions),
		ON_RIG(slow_start_of_random_two),
		ON_RIG(slow_start_fills_up),
		ON_RIG(slow_start_is_ignored_by_the_rest),
		ON_RIG(slow_start_keeps_nobody_waiting),
	};

	return cmocka_run_group_tests_name("balance", tests, NULL, NULL);
}
