#include "proxy/balance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MOST 130

/* A set whose endpoints have these weights, and its state. */
struct rig {
	struct endpoint_set *set;
	int64_t		     current[MOST];
	uint64_t	     tried[BALANCE_WORDS(MOST)];
	unsigned	     picked[MOST]; /* how often */
};

static int
rig_make(void **state)
{
	*state = calloc(1, sizeof(struct rig));
	return *state == NULL;
}

static int
rig_remove(void **state)
{
	struct rig *rig = *state;

	endpoint_set_unref(rig->set);
	free(rig);
	return 0;
}

static void
rig_set(struct rig *rig, size_t count, const uint64_t *weights)
{
	assert_true(count <= MOST);
	rig->set = endpoint_set_new(0, count);
	assert_non_null(rig->set);
	for (size_t i = 0; i < count; i++)
		rig->set->endpoints[i].weight = weights == NULL ? 1 :
		    weights[i];
}

static size_t
pick(struct rig *rig)
{
	size_t i = balance_round_robin(rig->set, rig->current, rig->tried);

	if (i != BALANCE_NONE) {
		assert_true(i < rig->set->count);
		rig->picked[i]++;
	}
	return i;
}

static void
try(struct rig *rig, size_t i)
{
	rig->tried[i / 64] |= UINT64_C(1) << (i % 64);
}

static void
forget(struct rig *rig)
{
	memset(rig->tried, 0, sizeof(rig->tried));
}

/* The picks as letters. */
static const char *
picks(struct rig *rig, size_t n)
{
	static char text[64];

	assert_true(n < sizeof(text));
	for (size_t i = 0; i < n; i++)
		text[i] = (char)('a' + pick(rig));
	text[n] = '\0';
	return text;
}

static void
equal_ones_take_turns(void **state)
{
	struct rig *rig = *state;

	rig_set(rig, 3, NULL);
	assert_string_equal(picks(rig, 9), "abcabcabc");
}

/* Seen from its second pick on, the cycle is a b a c a a a. */
static void
heavy_one_is_spread(void **state)
{
	struct rig *rig = *state;

	rig_set(rig, 3, (const uint64_t[]){ 5, 1, 1 });
	assert_string_equal(picks(rig, 15), "aabacaaaabacaaa");
}

static void
weights_are_exact_over_a_cycle(void **state)
{
	static const uint64_t weights[] = { 3, 1, 1000, 7, 20, 1, 96 };
	struct rig *rig = *state;
	size_t count = sizeof(weights) / sizeof(weights[0]), cycle = 0;

	rig_set(rig, count, weights);
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

	rig_set(rig, 4, weights);
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

	rig_set(rig, 3, (const uint64_t[]){ 5, 1, 1 });
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

	rig_set(rig, MOST, NULL);
	for (size_t n = 0; n < MOST; n++) {
		i = pick(rig);
		assert_true(i != BALANCE_NONE);
		try(rig, i);
	}
	for (i = 0; i < MOST; i++)
		assert_int_equal(rig->picked[i], 1);
	assert_true(pick(rig) == BALANCE_NONE);
}

static void
bits_of_every_word_count(void **state)
{
	static const size_t last[] = { 0, 1, 31, 32, 62, 63, 64, 65, 127, 128,
		129 };
	struct rig *rig = *state;

	rig_set(rig, MOST, NULL);
	for (size_t n = 0; n < sizeof(last) / sizeof(last[0]); n++) {
		forget(rig);
		for (size_t i = 0; i < MOST; i++)
			if (i != last[n])
				try(rig, i);
		assert_int_equal(pick(rig), last[n]);
		try(rig, last[n]);
		assert_true(pick(rig) == BALANCE_NONE);
	}
}

static void
backups_wait_for_the_last_primary(void **state)
{
	struct rig *rig = *state;

	rig_set(rig, 5, (const uint64_t[]){ 9, 1, 1, 2, 1 });
	rig->set->endpoints[0].backup = true;
	rig->set->endpoints[3].backup = true;
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
	assert_true(pick(rig) == BALANCE_NONE);
}

static void
backups_alone_serve(void **state)
{
	struct rig *rig = *state;

	rig_set(rig, 2, NULL);
	rig->set->endpoints[0].backup = rig->set->endpoints[1].backup = true;
	assert_string_equal(picks(rig, 4), "abab");
}

static void
none_in_an_empty_set(void **state)
{
	struct rig *rig = *state;

	rig_set(rig, 0, NULL);
	assert_true(pick(rig) == BALANCE_NONE);
}

#define ON_RIG(f) cmocka_unit_test_setup_teardown(f, rig_make, rig_remove)

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
	};

	return cmocka_run_group_tests_name("balance", tests, NULL, NULL);
}
