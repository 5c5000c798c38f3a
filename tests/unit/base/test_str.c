#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void
test_distance(void **state)
{
	(void)state;
	assert_int_equal(str_distance("", ""), 0);
	assert_int_equal(str_distance("port", ""), 4);
	assert_int_equal(str_distance("", "port"), 4);
	assert_int_equal(str_distance("port", "port"), 0);
	assert_int_equal(str_distance("PORT", "port"), 0);
	assert_int_equal(str_distance("prot", "port"), 1);
	assert_int_equal(str_distance("por", "port"), 1);
	assert_int_equal(str_distance("ports", "port"), 1);
	assert_int_equal(str_distance("fort", "port"), 1);
	assert_int_equal(str_distance("kitten", "sitting"), 3);
	assert_int_equal(str_distance("ca", "abc"), 3);
}

static void
test_distance_of_long_words(void **state)
{
	char long63[64], long64[65];

	(void)state;
	memset(long63, 'a', 63);
	long63[63] = '\0';
	memset(long64, 'a', 64);
	long64[64] = '\0';
	assert_int_equal(str_distance(long63, long63), 0);
	assert_int_equal(str_distance(long63, ""), 63);
	assert_int_equal(str_distance(long64, long64), 64);
	assert_int_equal(str_distance("a", long64), 64);
}

static void
test_guess_keeps_the_nearest(void **state)
{
	struct str_guess guess = { 0 };

	(void)state;
	str_guess_offer(&guess, "prot", "host");
	str_guess_offer(&guess, "prot", "port");
	str_guess_offer(&guess, "prot", "server");
	assert_string_equal(guess.word, "port");
	str_guess_offer(&guess, "prot", "prog");
	assert_string_equal(guess.word, "port"); /* the first of the same */
}

static void
test_guess_is_not_wild(void **state)
{
	static const char *const far[][2] = { { "x", "y" }, { "ab", "cd" },
		{ "foo", "port" }, { "foo", "fab" }, { "", "port" }, { "abcdef", "uvwxyz" } };

	(void)state;
	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
		struct str_guess guess = { 0 };

		str_guess_offer(&guess, far[i][0], far[i][1]);
		assert_null(guess.word);
	}
}

static bool
is_text(const char *text)
{
	return str_is_text(text, strlen(text));
}

static void
test_text_is_well_formed(void **state)
{
	static const char *const right[] = { "", "abc\t", "\xc2\xa0",
		"\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
		"\xef\xbf\xbd", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf" };
	static const char *const wrong[] = { "\x01", "\n", "\r", "\x7f",
		"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41",
		"\xc2\x80", "\xc2\x9f", "\xe0\x80\x80", "\xe0\x9f\xbf",
		"\xe2\x82", "\xe2\x82\x41", "\xed\xa0\x80", "\xed\xbf\xbf",
		"\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80",
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "a\xff" };

	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		assert_true(is_text(right[i]));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(is_text(wrong[i]));
	assert_false(str_is_text("a\0b", 3));
}

/* The code points that encode themselves, and no others. */
static size_t
encode(uint32_t c, char *out)
{
	if (c < 0x80)
		return out[0] = (char)c, 1;
	if (c < 0x800)
		return out[0] = (char)(0xc0 | c >> 6),
		       out[1] = (char)(0x80 | (c & 63)), 2;
	if (c < 0x10000)
		return out[0] = (char)(0xe0 | c >> 12),
		       out[1] = (char)(0x80 | (c >> 6 & 63)),
		       out[2] = (char)(0x80 | (c & 63)), 3;
	return out[0] = (char)(0xf0 | c >> 18),
	       out[1] = (char)(0x80 | (c >> 12 & 63)),
	       out[2] = (char)(0x80 | (c >> 6 & 63)),
	       out[3] = (char)(0x80 | (c & 63)), 4;
}

static void
test_every_code_point(void **state)
{
	char bytes[4];

	(void)state;
	for (uint32_t c = 0; c < 0x120000; c++) {
		bool control = (c < 0x20 && c != '\t') ||
		    (c >= 0x7f && c < 0xa0);
		bool valid = !control && !(c >= 0xd800 && c < 0xe000) &&
		    c < 0x110000;

		if (str_is_text(bytes, encode(c, bytes)) != valid)
			fail_msg("U+%04X", c);
	}
}

static void
test_escape(void **state)
{
	char out[64];

	(void)state;
	assert_string_equal(str_escape(out, sizeof(out), "a b", 3), "a b");
	assert_string_equal(str_escape(out, sizeof(out), "\"\\\n\t\r", 5),
	    "\\\"\\\\\\n\\t\\x0d");
	assert_string_equal(str_escape(out, sizeof(out), "a\0\xff\x7f", 4),
	    "a\\x00\\xff\\x7f");
	assert_string_equal(str_escape(out, sizeof(out), "", 0), "");
}

static void
test_escape_is_cut_between_escapes(void **state)
{
	char out[64];

	(void)state;
	assert_string_equal(str_escape(out, 8, "1234567", 7), "1234567");
	assert_string_equal(str_escape(out, 8, "12345678", 8), "1234...");
	assert_string_equal(str_escape(out, 8, "\xff\xff", 2), "\\xff...");
	assert_string_equal(str_escape(out, 8, "a\xff\xff", 3), "a...");
	for (size_t size = 8; size < sizeof(out); size++) {
		memset(out, 'z', sizeof(out));
		str_escape(out, size, "\xff\n\xff\nab\xff\ncd\xff\n\xff\xff\xff"
		    "\xff\xff\xff", 18);
		assert_true(memchr(out, '\0', size) != NULL);
		assert_true(out[size] == 'z' || size == sizeof(out));
	}
}

static void
test_mask(void **state)
{
	char text[] = "a\tb\nc\x7f\xc3\xa9\xff\xe2\x82x\xc2\x85";

	(void)state;
	str_mask(text, sizeof(text) - 1);
	assert_string_equal(text, "a?b?c?\xc3\xa9???x??");
	assert_true(str_is_text(text, strlen(text)));
}

static void
assert_json(const char *in, size_t len, const char *wanted)
{
	char out[64];

	assert_string_equal(str_json(out, sizeof(out), in, len), wanted);
}

static void
test_json(void **state)
{
	(void)state;
	assert_json("", 0, "");
	assert_json("a b/=", 5, "a b/=");
	assert_json("\"\\\n\t", 4, "\\\"\\\\\\n\\t");
	assert_json("\0\r\x1f\x7f", 4, "\\u0000\\u000d\\u001f\\u007f");
	assert_json("\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x98", 9,
	    "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x98");
	assert_json("\xc2\x80\xc2\x9f\xc2\xa0", 6,
	    "\\u0080\\u009f\xc2\xa0");
}

/* Surrogates, overlong forms and what is cut short: a mark for each byte. */
static void
test_json_of_what_is_not_text(void **state)
{
	(void)state;
	assert_json("a\xff", 2, "a\\ufffd");
	assert_json("\xc2", 1, "\\ufffd");
	assert_json("\xc2x", 2, "\\ufffdx");
	/* what stands behind the end is not of the text */
	assert_json("\xc2\x85", 1, "\\ufffd");
	assert_json("\xe2\x82", 2, "\\ufffd\\ufffd");
	assert_json("\xe2\x82x", 3, "\\ufffd\\ufffdx");
	assert_json("\xc0\x80", 2, "\\ufffd\\ufffd");
	assert_json("\xed\xa0\x80", 3, "\\ufffd\\ufffd\\ufffd");
	assert_json("\xf4\x90\x80\x80", 4,
	    "\\ufffd\\ufffd\\ufffd\\ufffd");
}

/* Whether this is the inside of a JSON string (RFC 8259 section 7). */
static bool
is_json(const char *s)
{
	if (!str_is_text(s, strlen(s)) || strchr(s, '\t') != NULL)
		return false;
	for (; *s != '\0'; s++) {
		if (*s == '"')
			return false;
		if (*s != '\\')
			continue;
		s++;
		if (*s == 'u' && strspn(s + 1, "0123456789abcdef") >= 4)
			s += 4;
		else if (*s == '\0' || strchr("\"\\nt", *s) == NULL)
			return false;
	}
	return true;
}

static void
test_json_of_every_byte(void **state)
{
	char out[64], in[3];

	(void)state;
	for (unsigned c = 0; c < 0x10000; c++) {
		in[0] = (char)(c >> 8);
		in[1] = (char)c;
		in[2] = 'x';
		str_json(out, sizeof(out), in, 1);
		assert_true(is_json(out));
		str_json(out, sizeof(out), in, 3);
		assert_true(is_json(out));
		assert_int_equal(out[strlen(out) - 1], 'x');
	}
}

static void
test_json_of_random_bytes_at_every_size(void **state)
{
	char out[72], in[40];
	uint32_t random = 1;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		size_t size = 8 + round % 60;

		for (size_t i = 0; i < sizeof(in); i++) {
			random = random * 1664525 + 1013904223;
			in[i] = (char)(random >> 24);
		}
		memset(out, 'z', sizeof(out));
		str_json(out, size, in, sizeof(in));
		assert_true(memchr(out, '\0', size) != NULL);
		assert_int_equal(out[size], 'z');
		assert_true(is_json(out));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_distance_of_long_words),
		cmocka_unit_test(test_guess_keeps_the_nearest),
		cmocka_unit_test(test_guess_is_not_wild),
		cmocka_unit_test(test_text_is_well_formed),
		cmocka_unit_test(test_every_code_point),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_escape_is_cut_between_escapes),
		cmocka_unit_test(test_mask),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_of_what_is_not_text),
		cmocka_unit_test(test_json_of_every_byte),
		cmocka_unit_test(test_json_of_random_bytes_at_every_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
