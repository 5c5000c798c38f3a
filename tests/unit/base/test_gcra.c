#include "base/gcra.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)
#define BEGIN (UINT64_C(5) * 1000 * MS)

/* How many of so many tries succeed. */
static unsigned
take(const struct gcra *rate, uint64_t *full, uint64_t now, unsigned tries)
{
	unsigned taken = 0;

	while (tries-- > 0)
		taken += gcra_take(rate, full, now);
	return taken;
}

static void
as_many_at_once_as_in_the_time(void **state)
{
	const struct gcra rate = gcra_of(100, 1000);
	uint64_t full = 0;

	(void)state;
	assert_int_equal(take(&rate, &full, BEGIN, 1000), 100);
	assert_int_equal(take(&rate, &full, BEGIN + 10 * MS - 1, 9), 0);
	assert_int_equal(take(&rate, &full, BEGIN + 10 * MS, 9), 1);
	assert_int_equal(take(&rate, &full, BEGIN + 110 * MS, 99), 10);
	assert_int_equal(take(&rate, &full, BEGIN + 60000 * MS, 999), 100);
}

/* One in an hour is one. */
static void
one_is_one(void **state)
{
	const struct gcra rate = gcra_of(1, 3600 * 1000);
	uint64_t full = 0;

	(void)state;
	assert_true(gcra_take(&rate, &full, BEGIN));
	assert_false(gcra_take(&rate, &full, BEGIN + 3599999 * MS));
	assert_true(gcra_take(&rate, &full, BEGIN + 3600000 * MS));
}

/* What is refused costs nothing. */
static void
refusals_change_nothing(void **state)
{
	const struct gcra rate = gcra_of(2, 1000);
	uint64_t full = 0, before;

	(void)state;
	take(&rate, &full, BEGIN, 2);
	before = full;
	assert_int_equal(take(&rate, &full, BEGIN, 1000), 0);
	assert_int_equal(full, before);
}

/* A clock that is behind, as that of a worker in a long turn, takes no more. */
static void
clocks_apart(void **state)
{
	const struct gcra rate = gcra_of(10, 1000);
	uint64_t full = 0;

	(void)state;
	assert_int_equal(take(&rate, &full, BEGIN, 10), 10);
	assert_int_equal(take(&rate, &full, BEGIN - 500 * MS, 10), 0);
	assert_int_equal(take(&rate, &full, BEGIN + 100 * MS, 10), 1);
}

/* Up to the first that is refused. */
static uint64_t
take_all(const struct gcra *rate, uint64_t *full, uint64_t now)
{
	uint64_t taken = 0;

	while (gcra_take(rate, full, now))
		taken++;
	return taken;
}

/* What does not divide evenly never comes to more. */
static void
never_more_in_the_long_run(void **state)
{
	static const uint64_t counts[] = { 3, 7, 999, 1000000 };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		const struct gcra rate = gcra_of(counts[i], 1000);
		uint64_t full = 0, taken = 0;

		for (uint64_t ms = 0; ms <= 3000; ms++)
			taken += take_all(&rate, &full, BEGIN + ms * MS);
		assert_in_range(taken, 4 * counts[i] - counts[i] / 500 - 1,
		    4 * counts[i]);
	}
}

/* To the nanosecond. */
static void
what_does_not_divide_comes_later(void **state)
{
	const struct gcra rate = gcra_of(3, 1000);
	uint64_t full = 0;

	(void)state;
	assert_int_equal(take(&rate, &full, BEGIN, 9), 3);
	assert_int_equal(take(&rate, &full, BEGIN + 333333333, 9), 0);
	assert_int_equal(take(&rate, &full, BEGIN + 333333334, 9), 1);
}

/* More than one in a nanosecond is one, and not any number. */
static void
more_than_time_can_tell(void **state)
{
	const struct gcra rate = gcra_of(UINT64_C(3000000000), 1);
	uint64_t full = 0;

	(void)state;
	assert_true(gcra_take(&rate, &full, BEGIN));
	assert_int_equal(full, BEGIN + 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_at_once_as_in_the_time),
		cmocka_unit_test(one_is_one),
		cmocka_unit_test(refusals_change_nothing),
		cmocka_unit_test(clocks_apart),
		cmocka_unit_test(never_more_in_the_long_run),
		cmocka_unit_test(what_does_not_divide_comes_later),
		cmocka_unit_test(more_than_time_can_tell),
	};

	return cmocka_run_group_tests_name("gcra", tests, NULL, NULL);
}
