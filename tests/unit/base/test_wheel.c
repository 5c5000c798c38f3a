#include "base/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define RIM ((uint64_t)WHEEL_SLOTS * WHEEL_TICK_MS)

static struct wheel wheel;

static void
assert_comes_at(uint64_t start, uint64_t deadline, uint64_t due)
{
	struct wheel_entry entry = { 0 };

	wheel_init(&wheel, start);
	wheel_set(&wheel, &entry, deadline);
	assert_int_equal(wheel_next(&wheel), due);
	assert_null(wheel_expire(&wheel, due - 1));
	assert_ptr_equal(wheel_expire(&wheel, due), &entry);
	assert_false(entry.set);
	assert_null(wheel_expire(&wheel, due));
	assert_true(wheel_next(&wheel) == UINT64_MAX);
}

static void
test_never_early_and_a_tick_late_at_most(void **state)
{
	(void)state;
	assert_comes_at(1000, 1000, 1000);
	assert_comes_at(1000, 1001, 1100);
	assert_comes_at(1000, 1100, 1100);
	assert_comes_at(1001, 1001, 1100);
	assert_comes_at(1050, 1149, 1200);
	assert_comes_at(1000, 0, 1000); /* long over: at once */
}

static void
test_every_distance(void **state)
{
	(void)state;
	for (uint64_t d = 0; d < RIM - 2 * WHEEL_TICK_MS; d += 37) {
		uint64_t deadline = 123456 + d;

		assert_comes_at(123456, deadline,
		    (deadline + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS *
		    WHEEL_TICK_MS);
	}
}

static void
test_beyond_the_rim(void **state)
{
	struct wheel_entry entry = { 0 };
	uint64_t day = 86400000, now = 0, set = 0;

	(void)state;
	assert_comes_at(0, RIM - WHEEL_TICK_MS, RIM - WHEEL_TICK_MS);
	assert_comes_at(0, RIM - 1, RIM - WHEEL_TICK_MS);
	assert_comes_at(0, RIM, RIM - WHEEL_TICK_MS);
	assert_comes_at(0, RIM + 1, RIM - WHEEL_TICK_MS);
	assert_comes_at(0, UINT64_MAX, RIM - WHEEL_TICK_MS);
	/* As its owner does: set again until the deadline is there. */
	wheel_init(&wheel, 0);
	wheel_set(&wheel, &entry, day);
	while (now < day) {
		now = wheel_next(&wheel);
		assert_ptr_equal(wheel_expire(&wheel, now), &entry);
		if (now < day)
			wheel_set(&wheel, &entry, day);
		set++;
	}
	assert_int_equal(now, day);
	assert_true(set <= day / (RIM - WHEEL_TICK_MS) + 1);
}

static void
test_clear_and_move(void **state)
{
	struct wheel_entry a = { 0 }, b = { 0 };

	(void)state;
	wheel_init(&wheel, 0);
	wheel_clear(&wheel, &a);
	wheel_set(&wheel, &a, 500);
	wheel_set(&wheel, &b, 500);
	wheel_clear(&wheel, &a);
	wheel_clear(&wheel, &a);
	assert_int_equal(wheel_next(&wheel), 500);
	wheel_set(&wheel, &b, 900);
	assert_int_equal(wheel_next(&wheel), 900);
	wheel_set(&wheel, &b, 300);
	assert_int_equal(wheel_next(&wheel), 300);
	wheel_clear(&wheel, &b);
	assert_true(wheel_next(&wheel) == UINT64_MAX);
	assert_null(wheel_expire(&wheel, 10000));
}

/* After a suspend the hand is far behind; an entry set meanwhile may come up at
 * the rim of the old time, but only so often. */
/* It misses just the deadlines that would have brought it up earlier. */
static void
test_misses_what_is_earlier(void **state)
{
	struct wheel_entry entry = { 0 };
	uint64_t day = 86400000;

	(void)state;
	wheel_init(&wheel, 1000);
	assert_true(wheel_misses(&wheel, &entry, day));
	wheel_set(&wheel, &entry, 5000);
	assert_true(wheel_misses(&wheel, &entry, 0));
	assert_true(wheel_misses(&wheel, &entry, 4900));
	assert_false(wheel_misses(&wheel, &entry, 4901)); /* the same tick */
	assert_false(wheel_misses(&wheel, &entry, 5000));
	assert_false(wheel_misses(&wheel, &entry, 1000 + RIM + 5000));
	assert_false(wheel_misses(&wheel, &entry, day));
	assert_null(wheel_expire(&wheel, 4800)); /* its slot stays, time goes */
	assert_true(wheel_misses(&wheel, &entry, 4850));
	assert_false(wheel_misses(&wheel, &entry, 4950));
	assert_ptr_equal(wheel_expire(&wheel, 5000), &entry);
	assert_true(wheel_misses(&wheel, &entry, day));

	wheel_set(&wheel, &entry, day); /* at the rim */
	assert_false(wheel_misses(&wheel, &entry, 2 * day));
	assert_true(wheel_misses(&wheel, &entry, RIM / 2));
}

static void
test_a_long_sleep(void **state)
{
	struct wheel_entry a = { 0 }, b = { 0 }, c = { 0 }, *due;
	uint64_t later = 1000 + 5 * RIM;
	unsigned early = 0;

	(void)state;
	wheel_init(&wheel, 1000);
	wheel_set(&wheel, &a, 2000);
	wheel_set(&wheel, &b, 3000);
	assert_ptr_equal(wheel_expire(&wheel, later), &a);
	wheel_set(&wheel, &c, later + 250); /* in between */
	assert_ptr_equal(wheel_expire(&wheel, later), &b);
	while ((due = wheel_expire(&wheel, later)) != NULL) {
		assert_ptr_equal(due, &c);
		wheel_set(&wheel, &c, later + 250);
		early++;
	}
	assert_in_range(early, 0, 6);
	assert_int_equal(wheel_next(&wheel), later + 300);
}

/* Time standing still or a caller with an older reading does no harm. */
static void
test_time_never_turns_back(void **state)
{
	struct wheel_entry entry = { 0 };

	(void)state;
	wheel_init(&wheel, 5000);
	assert_null(wheel_expire(&wheel, 6000));
	assert_null(wheel_expire(&wheel, 5000));
	wheel_set(&wheel, &entry, 5500);
	assert_null(wheel_expire(&wheel, 5900));
	assert_ptr_equal(wheel_expire(&wheel, 6100), &entry);
}

#define ENTRIES 300

/* The wheel against the obvious: an array searched from end to end. */
static void
test_against_a_model(void **state)
{
	static struct wheel_entry entries[ENTRIES];
	static uint64_t deadlines[ENTRIES]; /* 0: not set */
	uint64_t now = 777;
	struct wheel_entry *due;

	(void)state;
	srand(1);
	memset(entries, 0, sizeof(entries));
	wheel_init(&wheel, now);
	for (int step = 0; step < 20000; step++) {
		size_t i = (size_t)rand() % ENTRIES;

		if (rand() % 4 == 0) {
			wheel_clear(&wheel, &entries[i]);
			deadlines[i] = 0;
		} else {
			deadlines[i] = now + 1 + (uint64_t)rand() % 100000;
			wheel_set(&wheel, &entries[i], deadlines[i]);
		}
		now += (uint64_t)rand() % 300;
		while ((due = wheel_expire(&wheel, now)) != NULL) {
			size_t n = (size_t)(due - entries);

			assert_true(deadlines[n] != 0 && deadlines[n] <= now);
			deadlines[n] = 0;
		}
		for (size_t n = 0; n < ENTRIES; n++)
			assert_true(deadlines[n] == 0 || (entries[n].set &&
			    deadlines[n] + WHEEL_TICK_MS > now));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_never_early_and_a_tick_late_at_most),
		cmocka_unit_test(test_every_distance),
		cmocka_unit_test(test_beyond_the_rim),
		cmocka_unit_test(test_clear_and_move),
		cmocka_unit_test(test_misses_what_is_earlier),
		cmocka_unit_test(test_a_long_sleep),
		cmocka_unit_test(test_time_never_turns_back),
		cmocka_unit_test(test_against_a_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
