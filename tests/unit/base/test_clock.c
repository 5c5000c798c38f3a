#include "base/clock.h"
#include "base/counter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

static void
test_clock_goes_on(void **state)
{
	struct timespec wait = { 0, 20000000 };
	uint64_t before = clock_ms();

	(void)state;
	assert_true(before > 0);
	nanosleep(&wait, NULL);
	assert_true(clock_ms() >= before + 20);
	assert_in_range(clock_us() / 1000, before + 20, clock_ms());
}

static void
test_clock_text(void **state)
{
	char text[CLOCK_TEXT];
	int year, month, day, hour, minute, second, ms, end = 0;

	(void)state;
	clock_text(text);
	assert_int_equal(strlen(text), 24);
	assert_int_equal(sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &year,
	    &month, &day, &hour, &minute, &second, &ms, &end), 7);
	assert_int_equal(end, 24);
	assert_in_range(year, 2024, 9999);
	assert_in_range(month, 1, 12);
}

static void
test_counter(void **state)
{
	struct counter counter = { 0 };

	(void)state;
	counter_add(&counter, 3);
	counter_add(&counter, 4);
	assert_int_equal(counter_get(&counter), 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clock_goes_on),
		cmocka_unit_test(test_clock_text),
		cmocka_unit_test(test_counter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
