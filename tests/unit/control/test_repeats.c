#include "repeats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool
hold(struct repeats *r, enum log_level level, const char *text, uint64_t now)
{
	return repeats_hold(r, level, text, strlen(text), now);
}

static bool
warn(struct repeats *r, const char *text, uint64_t now)
{
	return hold(r, LOG_LEVEL_WARN, text, now);
}

static void
assert_tells(struct repeats *r, uint64_t now, const char *wanted)
{
	enum log_level level = LOG_LEVEL_DEBUG;
	char line[LOG_LINE];
	size_t len = repeats_take(r, now, &level, line);

	assert_int_equal(len, strlen(wanted));
	if (len == 0)
		return;
	assert_string_equal(line, wanted);
	assert_int_equal(level, LOG_LEVEL_WARN);
}

static void
the_first_is_never_held(void **state)
{
	struct repeats r = { 0 };

	(void)state;
	assert_false(warn(&r, "a", 1));
	assert_int_equal(repeats_due(&r), UINT64_MAX);
	assert_tells(&r, UINT64_MAX, "");
}

static void
repeats_are_counted(void **state)
{
	struct repeats r = { 0 };

	(void)state;
	assert_false(warn(&r, "a", 1000));
	assert_true(warn(&r, "a", 1001));
	assert_int_equal(repeats_due(&r), 1000 + REPEATS_MS);
	assert_tells(&r, 1000 + REPEATS_MS - 1, "");
	assert_true(warn(&r, "a", 1000 + REPEATS_MS - 1));
	assert_tells(&r, 1000 + REPEATS_MS, "a (repeated 2 times)");
	assert_tells(&r, UINT64_MAX, "");
	/* and from the beginning */
	assert_false(warn(&r, "a", 1000 + REPEATS_MS));
	assert_true(warn(&r, "a", 1001 + REPEATS_MS));
	assert_tells(&r, UINT64_MAX, "a (repeated 1 time)");
}

static void
after_a_while_it_is_news_again(void **state)
{
	struct repeats r = { 0 };

	(void)state;
	assert_false(warn(&r, "a", 1000));
	assert_false(warn(&r, "a", 1000 + REPEATS_MS));
	assert_true(warn(&r, "a", 1001 + REPEATS_MS));
}

/* Not the first that is found. */
static void
the_earliest_is_due(void **state)
{
	struct repeats r = { 0 };
	char text[2] = "a";

	(void)state;
	for (unsigned i = 0; i < REPEATS_ROWS; i++, text[0]++)
		assert_false(warn(&r, text, 100 + i));
	assert_false(warn(&r, "new", 200)); /* where "a" was */
	assert_true(warn(&r, "new", 201));
	assert_int_equal(repeats_due(&r), 200 + REPEATS_MS);
	assert_true(warn(&r, "c", 202));
	assert_int_equal(repeats_due(&r), 102 + REPEATS_MS);
	assert_true(warn(&r, "d", 203));
	assert_int_equal(repeats_due(&r), 102 + REPEATS_MS);
	assert_tells(&r, 102 + REPEATS_MS, "c (repeated 1 time)");
	assert_int_equal(repeats_due(&r), 103 + REPEATS_MS);
}

/* Nobody took the count in time: it is not lost. */
static void
a_late_count_goes_on(void **state)
{
	struct repeats r = { 0 };

	(void)state;
	warn(&r, "a", 1000);
	warn(&r, "a", 1001);
	assert_true(warn(&r, "a", 5000 + REPEATS_MS));
	assert_tells(&r, 5000 + REPEATS_MS, "a (repeated 2 times)");
}

static void
others_in_between_do_not_matter(void **state)
{
	struct repeats r = { 0 };

	(void)state;
	assert_false(warn(&r, "a", 1));
	assert_false(warn(&r, "b", 2));
	for (uint64_t now = 3; now < 100; now++) {
		assert_true(warn(&r, "a", now));
		assert_true(warn(&r, "b", now));
	}
	assert_tells(&r, 1 + REPEATS_MS, "a (repeated 97 times)");
	assert_tells(&r, 2 + REPEATS_MS, "b (repeated 97 times)");
}

static void
another_level_is_another_message(void **state)
{
	struct repeats r = { 0 };

	(void)state;
	assert_false(warn(&r, "a", 1));
	assert_false(hold(&r, LOG_LEVEL_ERROR, "a", 2));
	assert_false(warn(&r, "ab", 3));
	assert_true(hold(&r, LOG_LEVEL_ERROR, "a", 4));
	assert_true(warn(&r, "a", 5));
}

/* Who did something waits for the answer, every time. */
static void
information_is_not_held(void **state)
{
	struct repeats r = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_false(hold(&r, LOG_LEVEL_INFO, "a", 1));
		assert_false(hold(&r, LOG_LEVEL_DEBUG, "a", 1));
	}
}

/* The oldest without a count is forgotten, and none with one. */
/* Whoever asks again is answered again; a count is told all the same. */
static void
what_is_forgotten_is_news(void **state)
{
	struct repeats r = { 0 };

	(void)state;
	assert_false(warn(&r, "asked", 1));
	assert_false(warn(&r, "counted", 1));
	assert_true(warn(&r, "counted", 2));
	repeats_forget(&r);
	assert_false(warn(&r, "asked", 3));
	assert_true(warn(&r, "asked", 4));
	assert_true(warn(&r, "counted", 4));
	assert_tells(&r, 1 + REPEATS_MS, "counted (repeated 2 times)");
	assert_tells(&r, 3 + REPEATS_MS, "asked (repeated 1 time)");
}

static void
memory_is_bounded(void **state)
{
	struct repeats r = { 0 };
	char text[8];

	(void)state;
	for (unsigned i = 0; i <= REPEATS_ROWS; i++) {
		snprintf(text, sizeof(text), "%u", i);
		assert_false(warn(&r, text, i + 1));
	}
	assert_true(warn(&r, "1", 20));
	assert_false(warn(&r, "0", 21));
	for (unsigned i = 3; i <= REPEATS_ROWS; i++) {
		snprintf(text, sizeof(text), "%u", i);
		assert_true(warn(&r, text, 30));
	}
	assert_true(warn(&r, "0", 31));
	assert_false(warn(&r, "full", 32));
	assert_false(warn(&r, "full", 33));
	for (unsigned i = 0; i < REPEATS_ROWS; i++) {
		enum log_level level;
		char line[LOG_LINE];

		assert_true(repeats_take(&r, UINT64_MAX, &level, line) > 0);
	}
	assert_tells(&r, UINT64_MAX, "");
}

static void
the_longest_is_cut(void **state)
{
	struct repeats r = { 0 };
	char text[LOG_LINE], line[LOG_LINE];
	enum log_level level;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	warn(&r, text, 1);
	assert_true(warn(&r, text, 2));
	assert_true(repeats_take(&r, UINT64_MAX, &level, line) < LOG_LINE);
	assert_non_null(strstr(line, "xx (repeated 1 time)"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_is_never_held),
		cmocka_unit_test(repeats_are_counted),
		cmocka_unit_test(after_a_while_it_is_news_again),
		cmocka_unit_test(the_earliest_is_due),
		cmocka_unit_test(a_late_count_goes_on),
		cmocka_unit_test(others_in_between_do_not_matter),
		cmocka_unit_test(another_level_is_another_message),
		cmocka_unit_test(information_is_not_held),
		cmocka_unit_test(what_is_forgotten_is_news),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(the_longest_is_cut),
	};

	return cmocka_run_group_tests_name("repeats", tests, NULL, NULL);
}
