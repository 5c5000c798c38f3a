#include "proto/promtext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
sample_without_labels(void **state)
{
	struct promtext p;
	char text[64];

	(void)state;
	promtext_begin(&p, text, sizeof(text), "up", "");
	assert_int_equal(promtext_number(&p, UINT64_MAX), 24);
	assert_string_equal(text, "up 18446744073709551615\n");
}

static void
labels_are_escaped(void **state)
{
	struct promtext p;
	char text[128];
	size_t len;

	(void)state;
	promtext_begin(&p, text, sizeof(text), "x", "_bucket");
	promtext_label(&p, "a", "");
	promtext_label(&p, "b", "a\\b\"c\nd\te\xc3\xa9");
	promtext_label(&p, "le", "+Inf");
	len = promtext_number(&p, 0);
	assert_int_equal(len, strlen(text));
	assert_string_equal(text, "x_bucket{a=\"\",b=\"a\\\\b\\\"c\\nd\te"
	    "\xc3\xa9\",le=\"+Inf\"} 0\n");
}

static void
seconds_are_exact(void **state)
{
	struct promtext p;
	char text[64];

	(void)state;
	promtext_begin(&p, text, sizeof(text), "s", "_sum");
	promtext_seconds(&p, 1);
	assert_string_equal(text, "s_sum 0.000001\n");
	promtext_begin(&p, text, sizeof(text), "s", "_sum");
	promtext_seconds(&p, 86400 * UINT64_C(1000000) + 500);
	assert_string_equal(text, "s_sum 86400.000500\n");
}

static void
bounds_are_short(void **state)
{
	char text[PROMTEXT_LE];

	(void)state;
	assert_string_equal(promtext_le(500, text), "0.0005");
	assert_string_equal(promtext_le(2500000, text), "2.5");
	assert_string_equal(promtext_le(86400000000, text), "86400");
	assert_string_equal(promtext_le(0, text), "0");
	assert_string_equal(promtext_le(UINT64_MAX, text), "+Inf");
}

static void
head_has_two_lines(void **state)
{
	static const char wanted[] = "# HELP x_total How many.\n"
	    "# TYPE x_total counter\n";
	char text[80];

	(void)state;
	assert_int_equal(promtext_head(text, sizeof(text), "x_total",
	    "counter", "How many."), strlen(wanted));
	assert_string_equal(text, wanted);
	assert_int_equal(promtext_head(text, 20, "x_total", "counter",
	    "How many."), 0);
}

/* Whatever the room: all of the line, or nothing. */
static void
half_a_line_is_none(void **state)
{
	struct promtext p;
	char text[64];
	size_t size, len = 0;

	(void)state;
	for (size = 1; size < sizeof(text) && len == 0; size++) {
		memset(text, '#', sizeof(text));
		promtext_begin(&p, text, size, "name", "");
		promtext_label(&p, "label", "a\nb");
		len = promtext_number(&p, 12345);
		assert_int_equal(text[size], '#');
	}
	assert_string_equal(text, "name{label=\"a\\nb\"} 12345\n");
	assert_int_equal(len, size - 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sample_without_labels),
		cmocka_unit_test(labels_are_escaped),
		cmocka_unit_test(seconds_are_exact),
		cmocka_unit_test(bounds_are_short),
		cmocka_unit_test(head_has_two_lines),
		cmocka_unit_test(half_a_line_is_none),
	};

	return cmocka_run_group_tests_name("promtext", tests, NULL, NULL);
}
