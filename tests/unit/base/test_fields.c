#include "base/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* Checks the length it returns. */
static size_t
line(bool json, char *text, size_t size)
{
	size_t len;

	struct fields f;

	fields_begin(&f, json, text, size);
	fields_word(&f, "id", "5f2a-1-42");
	fields_number(&f, "zero", 0);
	fields_number(&f, "most", UINT64_MAX);
	fields_word(&f, "empty", "");
	fields_word(&f, "path", "/a b=\"\\\n\xff");
	fields_text(&f, "msg", "it is", 5);
	len = fields_end(&f);
	assert_int_equal(len, strlen(text));
	return len;
}

static void
logfmt_and_json(void **state)
{
	char text[256];

	(void)state;
	line(false, text, sizeof(text));
	assert_string_equal(text, "id=5f2a-1-42 zero=0 "
	    "most=18446744073709551615 empty=\"\" "
	    "path=\"/a b=\\\"\\\\\\n\\ufffd\" msg=\"it is\"");
	line(true, text, sizeof(text));
	assert_string_equal(text, "{\"id\":\"5f2a-1-42\",\"zero\":0,"
	    "\"most\":18446744073709551615,\"empty\":\"\","
	    "\"path\":\"/a b=\\\"\\\\\\n\\ufffd\",\"msg\":\"it is\"}");
}

static void
nothing_at_all(void **state)
{
	struct fields f;
	char text[8];

	(void)state;
	fields_begin(&f, true, text, sizeof(text));
	assert_int_equal(fields_end(&f), 2);
	assert_string_equal(text, "{}");
	fields_begin(&f, false, text, sizeof(text));
	assert_int_equal(fields_end(&f), 0);
	assert_string_equal(text, "");
}

/* What the quotes of logfmt are for. */
static void
words_that_need_quotes(void **state)
{
	char text[64];

	(void)state;
	for (unsigned c = 1; c < 256; c++) {
		char word[4] = { 'a', (char)c, 'b' };
		bool plain = c > ' ' && c < 0x7f && strchr("=\"\\", (int)c) == NULL;
		struct fields f;

		fields_begin(&f, false, text, sizeof(text));
		fields_word(&f, "k", word);
		fields_end(&f);
		assert_int_equal(text[2] == '"', !plain);
		assert_int_equal(text[strlen(text) - 1], plain ? 'b' : '"');
	}
}

/* However little room there is, what comes out is whole. */
static void
at_every_size(void **state)
{
	char text[256], whole[256];
	size_t full;

	(void)state;
	for (int json = 0; json < 2; json++) {
		full = line(json, whole, sizeof(whole));
		for (size_t size = 8; size < sizeof(text); size++) {
			size_t len, quotes = 0;

			memset(text, 'z', sizeof(text));
			len = line(json, text, size);
			assert_true(len < size);
			assert_int_equal(text[size], 'z');
			for (size_t i = 0; i < len; i++)
				quotes += text[i] == '"' && text[i - 1] != '\\';
			assert_int_equal(quotes % 2, 0);
			if (json)
				assert_true(text[0] == '{' &&
				    text[len - 1] == '}');
			if (size > full + 12)
				assert_string_equal(text, whole);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logfmt_and_json),
		cmocka_unit_test(nothing_at_all),
		cmocka_unit_test(words_that_need_quotes),
		cmocka_unit_test(at_every_size),
	};

	return cmocka_run_group_tests_name("fields", tests, NULL, NULL);
}
