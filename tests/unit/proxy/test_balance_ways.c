/* least_sessions, random_two and first. */
#include "proxy/balance.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "balancing.h"

/* --- least_sessions */

static void
fewest_is_next(void **state)
{
	struct rig *rig = *state;

	rig_set(rig, 3, NULL);
	rig_begin(rig, BALANCE_LEAST_SESSIONS);
	rig_server(rig, 0)->taken = 7;
	rig_server(rig, 1)->taken = 5;
	rig_server(rig, 2)->taken = 6;
	assert_string_equal(picks(rig, 3), "bbb");
	rig_server(rig, 1)->taken = 8;
	assert_string_equal(picks(rig, 3), "ccc");
}

static void
idle_ones_take_turns(void **state)
{
	struct rig *rig = *state;

	rig_set(rig, 3, NULL);
	rig_begin(rig, BALANCE_LEAST_SESSIONS);
	assert_string_equal(picks(rig, 9), "abcabcabc");
	rig_server(rig, 1)->taken = 1;
	assert_string_equal(picks(rig, 6), "acacac");
	rig_set(rig, 3, (const uint64_t[]){ 5, 1, 1 });
	rig_begin(rig, BALANCE_LEAST_SESSIONS);
	assert_string_equal(picks(rig, 7), "aabacaa");
}

/* Sessions that stay: always within one of the share. */
static void
weights_hold_while_it_fills(void **state)
{
	static const uint64_t weights[] = { 1, 2, 3, 4, 10, 1000 };
	struct rig *rig = *state;

	rig_set(rig, 6, weights);
	rig_begin(rig, BALANCE_LEAST_SESSIONS);
	for (unsigned n = 1; n <= 3060; n++) {
		rig_server(rig, pick(rig))->taken++;
		for (size_t i = 0; i < 6; i++) {
			double share = n * (double)weights[i] / 1020;

			assert_true((double)rig_server(rig, i)->taken <
			    share + 1.01);
			assert_true((double)rig_server(rig, i)->taken >
			    share - 5.01);
		}
	}
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(rig_server(rig, i)->taken, 3 * weights[i]);
}

/* Sessions that come and go by chance. */
static void
stays_even_while_sessions_end(void **state)
{
	struct rig *rig = *state;
	uint64_t least = UINT64_MAX, most = 0;

	rig_set(rig, 100, NULL);
	rig_begin(rig, BALANCE_LEAST_SESSIONS);
	for (unsigned n = 0; n < 50000; n++) {
		size_t gone = hash_mix(n) % 100;

		rig_server(rig, pick(rig))->taken++;
		if (n >= 2000 && rig_server(rig, gone)->taken > 0)
			rig_server(rig, gone)->taken--;
	}
	for (size_t i = 0; i < 100; i++) {
		uint64_t taken = rig_server(rig, i)->taken;

		least = taken < least ? taken : least;
		most = taken > most ? taken : most;
	}
	assert_in_range(most - least, 0, 2);
}

/* Two workers, each with turns of its own, fill the same servers. */
static void
workers_fill_together(void **state)
{
	struct rig *rig = *state;
	int64_t current[7] = { 0 };
	struct balance other;

	rig_set(rig, 7, NULL);
	rig_begin(rig, BALANCE_LEAST_SESSIONS);
	balance_init(&other, rig->set, current, 3);
	for (unsigned n = 0; n < 350; n++) {
		struct balance_ask ask = { .now = NOW };
		size_t i;

		rig_server(rig, pick(rig))->taken++;
		assert_int_equal(balance_pick(&other, &ask, &i),
		    BALANCE_PICKED);
		rig_server(rig, i)->taken++;
	}
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(rig_server(rig, i)->taken, 100);
}

/* --- random_two */

static void
assert_shares(struct rig *rig, size_t count, unsigned n, double within)
{
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += rig_endpoint(rig, i)->weight;
	for (size_t i = 0; i < count; i++) {
		double share = n * (rig_endpoint(rig, i)->weight / sum);

		assert_true(rig->picked[i] > share * (1 - within));
		assert_true(rig->picked[i] < share * (1 + within));
	}
}

/* Who is idle is drawn as often as it weighs. */
static void
chance_follows_the_weights(void **state)
{
	struct rig *rig = *state;

	for (size_t count = 2; count <= 100; count += 14) {
		rig_set(rig, count, NULL);
		for (size_t i = 0; i < count; i++)
			rig_endpoint(rig, i)->weight =
			    (uint32_t)(hash_mix(i + count) % 9 + 1);
		rig_begin(rig, BALANCE_RANDOM_TWO);
		for (unsigned n = 0; n < 200000; n++)
			pick(rig);
		assert_shares(rig, count, 200000, 0.15);
	}
}

/* The fullest of n servers with n sessions: by chance alone about
 * log n / log log n (7 or 8 here), by two choices log log n. */
static void
two_choices_are_nearly_even(void **state)
{
	struct rig *rig = *state;
	uint64_t most = 0;

	rig_set(rig, MOST, NULL);
	rig_begin(rig, BALANCE_RANDOM_TWO);
	for (unsigned n = 0; n < MOST; n++)
		rig_server(rig, pick(rig))->taken++;
	for (size_t i = 0; i < MOST; i++)
		if (rig_server(rig, i)->taken > most)
			most = rig_server(rig, i)->taken;
	print_message("random_two: at most %u sessions, 1 on average\n",
	    (unsigned)most);
	assert_in_range(most, 2, 4);
	for (unsigned n = 0; n < 99 * MOST; n++)
		rig_server(rig, pick(rig))->taken++;
	for (size_t i = 0; i < MOST; i++)
		assert_in_range(rig_server(rig, i)->taken, 94, 104);
}

static void
less_busy_one_of_two_wins(void **state)
{
	struct rig *rig = *state;

	rig_set(rig, 2, (const uint64_t[]){ 1, 3 });
	rig_begin(rig, BALANCE_RANDOM_TWO);
	rig_server(rig, 0)->taken = 10;
	rig_server(rig, 1)->taken = 29;
	for (unsigned n = 0; n < 100; n++)
		assert_int_equal(pick(rig), 1);
	rig_server(rig, 1)->taken = 31;
	for (unsigned n = 0; n < 100; n++)
		assert_int_equal(pick(rig), 0);
}

/* Nearly all are out, and the draws would miss: those left still share. */
static void
few_are_left(void **state)
{
	struct rig *rig = *state;

	rig_set(rig, 500, NULL);
	rig_begin(rig, BALANCE_RANDOM_TWO);
	for (size_t i = 0; i < 500; i++)
		take_out(rig, i, i % 100 == 3 ? 0 : SERVER_FAILING);
	for (unsigned n = 0; n < 10000; n++)
		pick(rig);
	for (size_t i = 3; i < 500; i += 100)
		assert_in_range(rig->picked[i], 1800, 2200);
}

static void
backups_by_weight(void **state)
{
	struct rig *rig = *state;

	rig_set(rig, 3, (const uint64_t[]){ 1, 1, 3 });
	for (size_t i = 0; i < 3; i++)
		rig_endpoint(rig, i)->backup = i > 0;
	rig_begin(rig, BALANCE_RANDOM_TWO);
	assert_string_equal(picks(rig, 5), "aaaaa");
	take_out(rig, 0, SERVER_DRAINING);
	for (unsigned n = 0; n < 10000; n++)
		pick(rig);
	assert_in_range(rig->picked[1], 2300, 2700);
	assert_in_range(rig->picked[2], 7300, 7700);
}

/* --- first */

static void
lines_in_their_order(void **state)
{
	struct rig *rig = *state;

	rig_set(rig, 4, (const uint64_t[]){ 1, 1000, 1, 1 });
	rig_endpoint(rig, 0)->backup = true;
	rig_begin(rig, BALANCE_FIRST);
	assert_string_equal(picks(rig, 3), "bbb");
	take_out(rig, 1, SERVER_FAILING);
	assert_string_equal(picks(rig, 3), "ccc");
	try(rig, 2);
	assert_string_equal(picks(rig, 3), "ddd");
	try(rig, 3);
	assert_string_equal(picks(rig, 3), "aaa");
	forget(rig);
	take_out(rig, 1, 0);
	assert_string_equal(picks(rig, 3), "bbb");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_RIG(fewest_is_next),
		ON_RIG(idle_ones_take_turns),
		ON_RIG(weights_hold_while_it_fills),
		ON_RIG(stays_even_while_sessions_end),
		ON_RIG(workers_fill_together),
		ON_RIG(chance_follows_the_weights),
		ON_RIG(two_choices_are_nearly_even),
		ON_RIG(less_busy_one_of_two_wins),
		ON_RIG(few_are_left),
		ON_RIG(backups_by_weight),
		ON_RIG(lines_in_their_order),
	};

	return cmocka_run_group_tests_name("balance ways", tests, NULL, NULL);
}
