/* json.c: commas, and text that is anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "json.h"

static struct json json;

static int
begin(void **state)
{
	(void)state;
	json = (struct json){ .out = evbuffer_new() };
	return json.out != NULL ? 0 : -1;
}

static int
end(void **state)
{
	(void)state;
	evbuffer_free(json.out);
	return 0;
}

static void
assert_written(const char *expected)
{
	evbuffer_add(json.out, "", 1);
	assert_string_equal(evbuffer_pullup(json.out, -1), expected);
}

static void
test_commas(void **state)
{
	(void)state;
	json_begin(&json, NULL, '{');
	json_begin(&json, "a", '[');
	json_end(&json, ']');
	json_begin(&json, "b", '[');
	json_number(&json, NULL, 1);
	json_begin(&json, NULL, '{');
	json_bool(&json, "c", true);
	json_bool(&json, "d", false);
	json_end(&json, '}');
	json_number(&json, NULL, UINT64_MAX);
	json_end(&json, ']');
	json_text(&json, "e", NULL);
	json_end(&json, '}');
	assert_written("{\"a\":[],\"b\":[1,{\"c\":true,\"d\":false},"
		       "18446744073709551615],\"e\":null}");
}

static void
test_escapes(void **state)
{
	(void)state;
	json_text(&json, NULL, "a\"b\\c\nd\x01\x7f" "e/</script>");
	assert_written("\"a\\\"b\\\\c\\nd\\u0001\\u007fe/</script>\"");
}

static void
test_utf8(void **state)
{
	(void)state;
	json_text(&json, NULL, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	assert_written("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

/* A lone byte, an overlong form, a surrogate, a cut sequence. */
static void
test_what_is_no_utf8(void **state)
{
	(void)state;
	json_text(&json, NULL, "\xff" "a\xc0\x80" "b\xed\xa0\x80" "c\xe2\x82");
	assert_written("\"\\ufffda\\ufffd\\ufffdb\\ufffd\\ufffd\\ufffd"
		       "c\\ufffd\\ufffd\"");
}

static void
test_bytes_with_nul(void **state)
{
	(void)state;
	json_bytes(&json, "k", "a\0b", 3);
	assert_written("\"k\":\"a\\u0000b\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_commas, begin, end),
		cmocka_unit_test_setup_teardown(test_escapes, begin, end),
		cmocka_unit_test_setup_teardown(test_utf8, begin, end),
		cmocka_unit_test_setup_teardown(test_what_is_no_utf8, begin,
		    end),
		cmocka_unit_test_setup_teardown(test_bytes_with_nul, begin,
		    end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
