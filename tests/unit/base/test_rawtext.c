#include "base/rawtext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void
check(const struct rawtext *t, const char *text)
{
	assert_int_equal(t->len, strlen(text));
	assert_memory_equal(t->text, text, t->len);
}

static void
test_words_and_numbers(void **state)
{
	struct rawtext t = { .len = 0 };

	(void)state;
	rawtext_add(&t, "at 0x");
	rawtext_number(&t, 0xbeef, 16, 1);
	rawtext_add(&t, ", ");
	rawtext_number(&t, 0, 10, 1);
	rawtext_add(&t, " ");
	rawtext_number(&t, 7, 16, 2);
	rawtext_add(&t, "");
	rawtext_number(&t, UINT64_MAX, 10, 1);
	check(&t, "at 0xbeef, 0 0718446744073709551615");
}

static void
test_what_does_not_fit_is_cut(void **state)
{
	struct rawtext t = { .len = RAWTEXT - 3 };

	(void)state;
	memset(t.text, '-', sizeof(t.text));
	rawtext_number(&t, 12345, 10, 1);
	assert_int_equal(t.len, RAWTEXT);
	assert_memory_equal(t.text + RAWTEXT - 4, "-123", 4);
	rawtext_add(&t, "more");
	assert_int_equal(t.len, RAWTEXT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_and_numbers),
		cmocka_unit_test(test_what_does_not_fit_is_cut),
	};

	return cmocka_run_group_tests_name("rawtext", tests, NULL, NULL);
}
