#include "proxy/stats.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
rows_are_zero_and_alone(void **state)
{
	const struct listener_stats zero = { 0 };
	struct worker_stats stats;

	(void)state;
	assert_true(stats_init(&stats, 3, 2));
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal((uintptr_t)&stats.listeners[i] % LINE, 0);
		assert_memory_equal(&stats.listeners[i], &zero, sizeof(zero));
	}
	assert_int_equal((uintptr_t)&stats.upstreams[1] % LINE, 0);
	stats_done(&stats);
	stats_done(&stats); /* a zeroed one */
	assert_true(stats_init(&stats, 0, 0));
	stats_done(&stats);
}

static void
listeners_are_added_up(void **state)
{
	struct listener_stats sum = { 0 }, a = { 0 }, b = { 0 };

	(void)state;
	counter_add(&a.bytes_to_upstream, 5);
	counter_add(&a.ended[BY_CLIENT][HOW_FIN], 1);
	counter_add(&a.ended[BY_PROXY][HOW_LIMIT], 2);
	histogram_add(&a.lasted, 700);
	counter_add(&b.bytes_to_upstream, 6);
	counter_add(&b.ended[BY_PROXY][HOW_LIMIT], 3);
	histogram_add(&b.lasted, UINT64_C(90000) * 1000000);
	listener_stats_sum(&sum, &a);
	listener_stats_sum(&sum, &b);
	assert_int_equal(counter_get(&sum.bytes_to_upstream), 11);
	assert_int_equal(counter_get(&sum.bytes_to_client), 0);
	assert_int_equal(counter_get(&sum.ended[BY_PROXY][HOW_LIMIT]), 5);
	assert_int_equal(listener_stats_ended(&sum), 6);
	assert_int_equal(histogram_count(&sum.lasted), 2);
	assert_int_equal(counter_get(&sum.lasted.sum_us), 90000000700);
}

static void
upstreams_are_added_up(void **state)
{
	struct upstream_stats sum = { 0 }, a = { 0 };

	(void)state;
	counter_add(&a.attempts, 7);
	for (size_t i = 0; i < CONNECT_FAILURES; i++)
		counter_add(&a.failures[i], i + 1);
	histogram_add(&a.connecting, 1);
	upstream_stats_sum(&sum, &a);
	upstream_stats_sum(&sum, &a);
	assert_int_equal(counter_get(&sum.attempts), 14);
	assert_int_equal(upstream_stats_failures(&sum), 20);
	assert_int_equal(counter_get(&sum.failures[CONNECT_OTHER]), 8);
	assert_int_equal(histogram_count(&sum.connecting), 2);
}

/* Not one is left out, whatever it is called. */
static void
every_counter_is_added(void **state)
{
	struct listener_stats sum = { 0 }, row = { 0 };
	struct upstream_stats up_sum = { 0 }, up_row = { 0 };
	struct counter *of = (void *)&row, *up_of = (void *)&up_row;
	const struct counter *to = (void *)&sum, *up_to = (void *)&up_sum;

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(*of); i++)
		counter_add(&of[i], i + 1);
	for (size_t i = 0; i < sizeof(up_row) / sizeof(*up_of); i++)
		counter_add(&up_of[i], i + 1);
	for (int twice = 0; twice < 2; twice++) {
		listener_stats_sum(&sum, &row);
		upstream_stats_sum(&up_sum, &up_row);
	}
	for (size_t i = 0; i < sizeof(row) / sizeof(*of); i++)
		assert_int_equal(counter_get(&to[i]), 2 * (i + 1));
	for (size_t i = 0; i < sizeof(up_row) / sizeof(*up_of); i++)
		assert_int_equal(counter_get(&up_to[i]), 2 * (i + 1));
}

static void
failures_have_names(void **state)
{
	static const struct {
		int	    error;
		const char *name;
	} rows[] = {
		{ -ECONNREFUSED, "refused" },
		{ -ETIMEDOUT, "timeout" },
		{ -EHOSTUNREACH, "unreachable" },
		{ -ENETUNREACH, "unreachable" },
		{ -EHOSTDOWN, "unreachable" },
		{ -ENETDOWN, "unreachable" },
		{ -ECONNRESET, "other" },
		{ -ENOENT, "other" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(rows[i].name, connect_failure_text(
		    connect_failure(rows[i].error)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_zero_and_alone),
		cmocka_unit_test(listeners_are_added_up),
		cmocka_unit_test(upstreams_are_added_up),
		cmocka_unit_test(every_counter_is_added),
		cmocka_unit_test(failures_have_names),
	};

	return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
