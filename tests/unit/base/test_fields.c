#include "base/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
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

/* What JSON cannot write as it is, even if it is all that is special. */
static void
bytes_that_json_escapes(void **state)
{
	static const struct {
		const char *value, *json;
	} rows[] = {
		{ "a\x7f" "b", "a\\u007fb" },
		{ "a\x1f" "b", "a\\u001fb" },
		{ "a\"b", "a\\\"b" },
		{ "a\\b", "a\\\\b" },
		{ "a~ b", "a~ b" },
	};
	char text[64], wanted[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fields f;

		fields_begin(&f, true, text, sizeof(text));
		fields_word(&f, "k", rows[i].value);
		fields_end(&f);
		snprintf(wanted, sizeof(wanted), "{\"k\":\"%s\"}",
		    rows[i].json);
		assert_string_equal(text, wanted);
	}
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

/* A key comes with its value, or not at all. */
static void
check_pairs(bool json, const char *text)
{
	static const char *const pairs[][2] = {
		{ "id=5f2a-1-42", "\"id\":\"5" },
		{ "zero=0", "\"zero\":0" },
		{ "most=18446744073709551615", "\"most\":18446744073709551615" },
		{ "empty=\"\"", "\"empty\":\"\"" },
		{ "path=\"/", "\"path\":\"/" },
		{ "msg=\"i", "\"msg\":\"i" },
	};
	char key[8];

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		snprintf(key, sizeof(key), "%.*s",
		    (int)strcspn(pairs[i][0], "="), pairs[i][0]);
		assert_int_equal(strstr(text, key) != NULL,
		    strstr(text, pairs[i][json]) != NULL);
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
			check_pairs(json, text);
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

/* Of a string that is cut at least one character is left. */
static void
strings_are_not_cut_to_nothing(void **state)
{
	char text[64];
	struct fields f;

	(void)state;
	for (size_t size = 8; size < sizeof(text); size++) {
		fields_begin(&f, false, text, size);
		fields_text(&f, "k", "\x01\x02\x03", 3);
		fields_end(&f);
		assert_true(*text == '\0' ||
		    strncmp(text, "k=\"\\u0001", 9) == 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logfmt_and_json),
		cmocka_unit_test(nothing_at_all),
		cmocka_unit_test(bytes_that_json_escapes),
		cmocka_unit_test(words_that_need_quotes),
		cmocka_unit_test(at_every_size),
		cmocka_unit_test(strings_are_not_cut_to_nothing),
	};

	return cmocka_run_group_tests_name("fields", tests, NULL, NULL);
}
