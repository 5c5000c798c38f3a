#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

struct row {
	const char *text;
	uint64_t    value;
};

static void
test_durations_are_read(void **state)
{
	static const struct row rows[] = {
		{ "0", 0 }, { "00", 0 }, { "0s", 0 }, { "200ms", 200 },
		{ "5s", 5000 }, { "10m", 600000 }, { "24h", 86400000 },
		{ "7d", 604800000 }, { "3650d", UINT64_C(315360000000) },
		{ "05s", 5000 },
	};
	char why[UNITS_WHY];
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_null(duration_parse(rows[i].text, &ms, why));
		assert_int_equal(ms, rows[i].value);
	}
}

static void
assert_duration_wrong(const char *text, const char *expected)
{
	char why[UNITS_WHY];
	uint64_t ms;

	assert_string_equal(duration_parse(text, &ms, why), expected);
}

static void
test_wrong_durations_say_why(void **state)
{
	static const char *const no_durations[] = { "", "s", "-5s", "+5s",
		"5 s", " 5s", "5s ", "1.5s", "5S", "5sec", "1h30m", "off" };
	char why[UNITS_WHY];
	uint64_t ms;

	(void)state;
	assert_duration_wrong("5", "5 what? write 5s or 5ms");
	assert_duration_wrong("05", "5 what? write 5s or 5ms");
	assert_duration_wrong("18446744073709551615", "18446744073709551615 "
	    "what? write 18446744073709551615s or 18446744073709551615ms");
	assert_duration_wrong("18446744073709551616",
	    "'18446744073709551616' is too long: at most 3650d");
	assert_duration_wrong("3651d", "'3651d' is too long: at most 3650d");
	assert_duration_wrong("9999999999999999999h",
	    "'9999999999999999999h' is too long: at most 3650d");
	for (size_t i = 0; i < sizeof(no_durations) / sizeof(char *); i++)
		assert_non_null(strstr(duration_parse(no_durations[i], &ms,
		    why), "is not a duration: write 200ms"));
}

/* However long the input, the answer fits its buffer. */
static void
test_long_input_is_cut(void **state)
{
	char text[4096], why[UNITS_WHY];
	uint64_t value;

	(void)state;
	memset(text, '\xff', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_true(strlen(duration_parse(text, &value, why)) < UNITS_WHY);
	assert_true(strlen(size_parse(text, &value, why)) < UNITS_WHY);
	assert_true(strlen(number_parse(text, &value, why)) < UNITS_WHY);
	memset(text, '9', sizeof(text) - 1);
	assert_true(strlen(duration_parse(text, &value, why)) < UNITS_WHY);
	assert_true(strlen(size_parse(text, &value, why)) < UNITS_WHY);
	assert_true(strlen(number_parse(text, &value, why)) < UNITS_WHY);
}

static void
test_sizes_are_read(void **state)
{
	static const struct row rows[] = {
		{ "0", 0 }, { "1", 1 }, { "16k", 16384 }, { "1M", 1048576 },
		{ "2G", UINT64_C(2147483648) },
		{ "9223372036854775807", INT64_MAX },
	};
	char why[UNITS_WHY];
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_null(size_parse(rows[i].text, &bytes, why));
		assert_int_equal(bytes, rows[i].value);
	}
}

static void
test_wrong_sizes_say_why(void **state)
{
	static const char *const wrong[] = { "", "k", "16K", "16kb", "1m",
		"1.5M", "-1", "1 k", "8589934592G", "9223372036854775808" };
	static const char *const bits[] = { "16kb", "8Mbps", "8Mbit",
		"8Mbit/s", "8Mb/s" };
	static const char *const meant[][2] = { { "100K", "100k" },
		{ "100g", "100G" }, { "1m", "1M" }, { "1MB", "1M" },
		{ "1M/s", "1M" }, { "1MiB", "1M" }, { "1KB/s", "1k" },
		{ "10B", "10" } };
	char why[UNITS_WHY], expected[UNITS_WHY];
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_non_null(size_parse(wrong[i], &bytes, why));
	assert_string_equal(size_parse("1.5M", &bytes, why),
	    "'1.5M' is not a size: write 16k, 1M, 2G or plain bytes");
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		snprintf(expected, sizeof(expected), "'%s' is not a size: "
		    "write bytes as in 16k, 1M, 2G; 8 Mbit are 1M", bits[i]);
		assert_string_equal(size_parse(bits[i], &bytes, why),
		    expected);
	}
	for (size_t i = 0; i < sizeof(meant) / sizeof(meant[0]); i++) {
		snprintf(expected, sizeof(expected), "'%s' is not a size: "
		    "write %s", meant[i][0], meant[i][1]);
		assert_string_equal(size_parse(meant[i][0], &bytes, why),
		    expected);
	}
	assert_string_equal(size_parse("8589934592G", &bytes, why),
	    "'8589934592G' is too large");
}

static void
test_numbers(void **state)
{
	char why[UNITS_WHY];
	uint64_t value;

	(void)state;
	assert_null(number_parse("18446744073709551615", &value, why));
	assert_true(value == UINT64_MAX);
	assert_string_equal(number_parse("18446744073709551616", &value, why),
	    "'18446744073709551616' is too large");
	assert_string_equal(number_parse("-1", &value, why),
	    "'-1' is not a whole number");
	assert_string_equal(number_parse("", &value, why),
	    "'' is not a whole number");
	assert_string_equal(number_parse("1x", &value, why),
	    "'1x' is not a whole number");
	assert_non_null(number_parse("0x10", &value, why));
}

static void
test_text_is_the_shortest(void **state)
{
	char text[UNITS_TEXT];

	(void)state;
	assert_string_equal(duration_text(0, text), "0");
	assert_string_equal(duration_text(200, text), "200ms");
	assert_string_equal(duration_text(1500, text), "1500ms");
	assert_string_equal(duration_text(60000, text), "60s")
;
	assert_string_equal(duration_text(90000, text), "90s");
	assert_string_equal(duration_text(86400000, text), "24h");
	assert_string_equal(duration_text(172800000, text), "2d");
	assert_string_equal(duration_text(UINT64_MAX, text),
	    "18446744073709551615ms");
	assert_string_equal(size_text(0, text), "0");
	assert_string_equal(size_text(1000, text), "1000");
	assert_string_equal(size_text(65536, text), "64k");
	assert_string_equal(size_text(1u << 30, text), "1G");
}

/* What is written reads as what it was. */
static void
test_round_trip(void **state)
{
	char text[UNITS_TEXT], why[UNITS_WHY];
	uint64_t back;

	(void)state;
	for (uint64_t n = 0; n < UINT64_C(300000000000); n = n * 3 / 2 + 1) {
		assert_null(duration_parse(duration_text(n, text), &back, why));
		assert_int_equal(back, n);
		assert_null(size_parse(size_text(n, text), &back, why));
		assert_int_equal(back, n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations_are_read),
		cmocka_unit_test(test_wrong_durations_say_why),
		cmocka_unit_test(test_long_input_is_cut),
		cmocka_unit_test(test_sizes_are_read),
		cmocka_unit_test(test_wrong_sizes_say_why),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_text_is_the_shortest),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
