#include "pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NOW UINT64_C(7000000)

/* Sessions that leave as a pace says, and when. */
struct leaving {
	struct pace pace;
	uint64_t    now;
	uint64_t    left;
	uint32_t    random;
	size_t	    largest; /* that left at once */
};

static void
begin(struct leaving *l, uint64_t left, uint64_t count, uint64_t per,
    uint64_t deadline)
{
	const struct rate_limit rate = { count, per };

	*l = (struct leaving){ .now = NOW, .left = left, .random = 1 };
	pace_init(&l->pace, NOW, &rate, deadline);
}

/* Until that time, or until nobody is left. */
static void
run(struct leaving *l, uint64_t until)
{
	l->largest = 0;
	while (l->left > 0) {
		size_t due = pace_due(&l->pace, l->now, l->left);
		uint64_t wait;

		if (due > l->left)
			due = l->left;
		if (due > l->largest)
			l->largest = due;
		l->left -= due;
		pace_took(&l->pace, due);
		l->random = l->random * 1664525 + 1013904223;
		wait = pace_wait(&l->pace, l->now, l->left, l->random);
		if (l->left == 0 || wait > until - l->now)
			break;
		l->now += wait;
	}
}

static void
at_a_rate(void **state)
{
	static const struct {
		uint64_t count, per, in, most;
	} rows[] = {
		{ 50, 1000, 10000, 500 }, { 1, 1000, 30000, 30 },
		{ 10000, 1000, 1000, 10000 }, { 30, 60000, 60000, 30 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct leaving l;
		uint64_t gone;

		begin(&l, 1000000, rows[i].count, rows[i].per, PACE_NEVER);
		run(&l, NOW + rows[i].in);
		gone = 1000000 - l.left;
		assert_true(gone <= rows[i].most);
		assert_true(gone + 2 + rows[i].most / 8 >= rows[i].most);
		assert_true(l.largest <= 2 + rows[i].count * 150 / rows[i].per);
	}
}

static void
without_a_rate_nobody_has_to_before_the_last_tenth(void **state)
{
	struct leaving l;

	(void)state;
	begin(&l, 1000, 0, 0, 10000);
	run(&l, NOW + 8999);
	assert_int_equal(l.left, 1000);
	run(&l, NOW + 9500);
	assert_in_range(l.left, 400, 650);
	assert_true(l.largest < 200);
	run(&l, NOW + 9999);
	assert_true(l.left < 150);
	run(&l, NOW + 10000);
	assert_int_equal(l.left, 0);
}

static void
what_is_left_leaves_at_the_deadline(void **state)
{
	struct leaving l;

	(void)state;
	begin(&l, 10, 0, 0, 0);
	assert_int_equal(pace_due(&l.pace, NOW, 10), PACE_ALL);
	begin(&l, 100000, 1, 1000, 10000);
	assert_int_equal(pace_due(&l.pace, NOW + 9999, 100000) == PACE_ALL,
	    false);
	assert_int_equal(pace_due(&l.pace, NOW + 10000, 100000), PACE_ALL);
}

static void
a_rate_that_is_faster_holds_in_the_last_tenth(void **state)
{
	struct leaving l;

	(void)state;
	begin(&l, 2000, 1, 10, 10000);
	run(&l, NOW + 9000);
	assert_in_range(l.left, 1100, 1200);
	begin(&l, 10, 1, 10, 10000);
	l.now = NOW + 9000;
	run(&l, NOW + 9999);
	assert_int_equal(l.left, 0);
	assert_true(l.now < NOW + 9300);
}

static void
nobody_makes_up_for_a_pause(void **state)
{
	struct leaving l;

	(void)state;
	begin(&l, 1000, 100, 1000, PACE_NEVER);
	assert_in_range(pace_due(&l.pace, NOW + 60000, 1000), 25, 27);
}

/* Nor for the time before the last tenth, in which nobody had to. */
static void
the_last_tenth_counts_by_itself(void **state)
{
	struct leaving l;

	(void)state;
	begin(&l, 1000, 0, 0, 10000);
	assert_in_range(pace_due(&l.pace, NOW + 9100, 1000), 105, 115);
	begin(&l, 1000, 1, 1000, 10000);
	l.pace.looked = NOW + 8000;
	assert_in_range(pace_due(&l.pace, NOW + 9100, 1000), 105, 115);
}

static void
what_is_not_taken_is_still_due(void **state)
{
	struct leaving l;

	(void)state;
	begin(&l, 1000, 100, 1000, PACE_NEVER);
	assert_int_equal(pace_due(&l.pace, NOW + 105, 1000), 10);
	pace_took(&l.pace, 4);
	assert_int_equal(pace_due(&l.pace, NOW + 105, 1000), 6);
	pace_took(&l.pace, 6);
	assert_int_equal(pace_due(&l.pace, NOW + 112, 1000), 1);
	pace_took(&l.pace, 50);
	assert_int_equal(pace_due(&l.pace, NOW + 112, 1000), 0);
}

/* Between two looks: neither all the time nor hardly ever, and never beyond the
 * deadline; those of several drains come to lie apart. */
static void
a_look_comes_in_time(void **state)
{
	struct leaving l;

	(void)state;
	begin(&l, 1000, 1000000, 1000, PACE_NEVER);
	assert_int_equal(pace_wait(&l.pace, NOW, 1000, 0), 10);
	assert_in_range(pace_wait(&l.pace, NOW, 1000, UINT32_MAX), 29, 30);
	begin(&l, 1000, 1, 3600000, PACE_NEVER);
	assert_int_equal(pace_wait(&l.pace, NOW, 1000, 0), 500);
	begin(&l, 1000, 0, 0, 10000);
	assert_int_equal(pace_wait(&l.pace, NOW, 1000, 7), 9000);
	assert_int_equal(pace_wait(&l.pace, NOW + 9998, 1, UINT32_MAX), 2);
	assert_int_equal(pace_wait(&l.pace, NOW + 10000, 1, UINT32_MAX), 0);
}

static void
with_neither_it_takes_somebody_else(void **state)
{
	struct leaving l;

	(void)state;
	begin(&l, 1000, 0, 0, PACE_NEVER);
	assert_int_equal(pace_due(&l.pace, NOW + 1000000, 1000), 0);
	assert_int_equal(pace_wait(&l.pace, NOW + 1000000, 1000, 7),
	    PACE_NEVER);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_a_rate),
		cmocka_unit_test(
		    without_a_rate_nobody_has_to_before_the_last_tenth),
		cmocka_unit_test(what_is_left_leaves_at_the_deadline),
		cmocka_unit_test(a_rate_that_is_faster_holds_in_the_last_tenth),
		cmocka_unit_test(nobody_makes_up_for_a_pause),
		cmocka_unit_test(the_last_tenth_counts_by_itself),
		cmocka_unit_test(what_is_not_taken_is_still_due),
		cmocka_unit_test(a_look_comes_in_time),
		cmocka_unit_test(with_neither_it_takes_somebody_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
