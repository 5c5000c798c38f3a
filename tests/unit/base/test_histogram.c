#include "base/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define HOUR UINT64_C(3600000000)

/* The bucket that one thing of this length falls into. */
static unsigned
bucket_of(uint64_t us)
{
	struct histogram h;
	unsigned found = 0;

	memset(&h, 0, sizeof(h));
	histogram_add(&h, us);
	assert_int_equal(histogram_count(&h), 1);
	while (counter_get(&h.buckets[found]) == 0)
		found++;
	return found;
}

static void
bounds_rise(void **state)
{
	(void)state;
	assert_int_equal(histogram_bound(0), 500);
	for (unsigned i = 1; i < HISTOGRAM_BUCKETS; i++)
		assert_true(histogram_bound(i) > histogram_bound(i - 1));
	assert_int_equal(histogram_bound(HISTOGRAM_BUCKETS - 2), 24 * HOUR);
	assert_int_equal(histogram_bound(HISTOGRAM_BUCKETS - 1), UINT64_MAX);
}

/* Those that dashboards and alerts were written for. */
static void
bounds_stay(void **state)
{
	static const double seconds[HISTOGRAM_BUCKETS - 1] = { .0005, .001,
		.0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60,
		600, 3600, 21600, 86400 };

	(void)state;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS - 1; i++)
		assert_true((double)histogram_bound(i) == seconds[i] * 1e6);
}

static void
bound_belongs_to_its_bucket(void **state)
{
	(void)state;
	assert_int_equal(bucket_of(0), 0);
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
		assert_int_equal(bucket_of(histogram_bound(i)), i);
		assert_int_equal(bucket_of(histogram_bound(i) + 1), i + 1);
	}
	assert_int_equal(bucket_of(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

static void
sum_and_count_add_up(void **state)
{
	struct histogram h;

	(void)state;
	memset(&h, 0, sizeof(h));
	assert_int_equal(histogram_count(&h), 0);
	for (uint64_t us = 1; us <= 100000; us += 100)
		histogram_add(&h, us);
	assert_int_equal(histogram_count(&h), 1000);
	assert_int_equal(counter_get(&h.sum_us), 49951000);
	assert_int_equal(counter_get(&h.buckets[0]), 5); /* 1 to 401 */
	assert_int_equal(counter_get(&h.buckets[1]), 5); /* 501 to 901 */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_rise),
		cmocka_unit_test(bounds_stay),
		cmocka_unit_test(bound_belongs_to_its_bucket),
		cmocka_unit_test(sum_and_count_add_up),
	};

	return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
