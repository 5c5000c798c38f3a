#include "reader.h"

#include "support.h"

#include <errno.h>

/* Gives at most 'step' bytes at a time, or first 'split' and then the rest. */
struct bytes {
	const char *next;
	size_t	    left, step, split;
	int	    error; /* at the end */
};

static ssize_t
source_bytes(void *context, char *out, size_t size)
{
	struct bytes *bytes = context;
	size_t take = bytes->left < size ? bytes->left : size;

	if (bytes->step > 0 && take > bytes->step)
		take = bytes->step;
	if (bytes->split > 0 && take > bytes->split)
		take = bytes->split;
	bytes->split = 0;
	if (take == 0)
		return bytes->error;
	memcpy(out, bytes->next, take);
	bytes->next += take;
	bytes->left -= take;
	return (ssize_t)take;
}

/* Everything the reader says: "N:line" for each line, and the errors. */
static char *
read_all(struct bytes bytes)
{
	struct arena arena = { 0 };
	struct report report = { .name = "t", .arena = &arena };
	struct config_errors errors = { 0 };
	struct reader reader;
	const char *line;
	char *out = NULL, *wrong;
	size_t size;
	FILE *file = open_memstream(&out, &size);

	assert_non_null(file);
	reader_init(&reader, source_bytes, &bytes, &report, 0);
	while ((line = reader_next(&reader)) != NULL)
		fprintf(file, "%u:%s\n", reader.line, line);
	assert_null(reader_next(&reader));
	report_finish(&report, &errors);
	wrong = errors_text(&errors);
	fputs(wrong, file);
	fclose(file);
	free(wrong);
	config_errors_free(&errors);
	reader_done(&reader);
	arena_done(&arena);
	return out;
}

static void
assert_read(const char *text, size_t len, const char *expected)
{
	char *got = read_all((struct bytes){ .next = text, .left = len });

	assert_string_equal(got, expected);
	free(got);
}

#define READ(text, expected) assert_read(text, sizeof(text) - 1, expected)

static void
test_lines_are_counted(void **state)
{
	(void)state;
	READ("", "");
	READ("\n", "");
	READ("a\n\nb", "1:a\n3:b\n");
	READ("\n; x\n# y\na\n", "4:a\n");
	READ("a\r\n\r\nb\r\n", "1:a\n3:b\n");
}

static void
test_blanks_and_comments(void **state)
{
	(void)state;
	READ("  a = b  \n\t[x]\t\n", "1:a = b\n2:[x]\n");
	READ("a = b ; c\na = b\t;c\n", "1:a = b\n2:a = b\n");
	READ("a = b;c\n", "1:a = b;c\n");
	READ("a = ; c\n", "1:a =\n");
	READ("  ; c\n \t# d\n;\n#\n", "");
	READ("a = b # c\n", "1:a = b # c\n");
}

static void
test_byte_order_mark(void **state)
{
	(void)state;
	READ("\xef\xbb\xbf[x]\n", "1:[x]\n");
	READ("\xef\xbb\xbf\n\xef\xbb\xbf[x]\n",
	    "t:2: the line contains a byte order mark\n");
	READ("\xef\xbb", "t:1: the line contains a control character or "
	    "bytes that are not UTF-8\n");
}

static void
test_what_is_no_text(void **state)
{
	(void)state;
	READ("a\0b\nc\n", "2:c\nt:1: the line contains a NUL byte\n");
	READ("\0\n", "t:1: the line contains a NUL byte\n");
	READ("; a\0b\n", "t:1: the line contains a NUL byte\n");
	READ("a\rb\rc\r", "t:1: the line contains a carriage return without "
	    "line feed\n");
	READ("a\r\r\n", "t:1: the line contains a carriage return without "
	    "line feed\n");
	READ("a = \xff\n", "t:1: the line contains a control character or "
	    "bytes that are not UTF-8\n");
	READ("a = \x1b[1m\n", "t:1: the line contains a control character or "
	    "bytes that are not UTF-8\n");
	READ("a = \xc3\xa9\n", "1:a = \xc3\xa9\n");
}

/* Catalogue 99: lines around inih's limit are whole, or an error. */
static void
test_line_lengths(void **state)
{
	static const size_t lengths[] = { 1, 197, 198, 199, 200, 201, 1000,
		100000 };
	char *text = malloc(100002), expected[512];

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t len = lengths[i];

		memset(text, 'a', len);
		memcpy(text + len, "\n", 2);
		if (len <= 198)
			snprintf(expected, sizeof(expected), "1:%s", text);
		else
			snprintf(expected, sizeof(expected), "t:1: the line "
			    "is %zu bytes long, and 198 is the most (comments "
			    "do not count)\n", len);
		assert_read(text, len + 1, expected);
		assert_read(text, len, expected);
	}
	free(text);
}

static void
test_only_the_live_part_is_measured(void **state)
{
	char text[2000];

	(void)state;
	snprintf(text, sizeof(text), "%500s%198s ;%500s\n", " ", "a = b", "c");
	assert_read(text, strlen(text), "1:a = b\n");
	snprintf(text, sizeof(text), ";%1500s\na = b\n", "x = y");
	assert_read(text, strlen(text), "2:a = b\n");
	snprintf(text, sizeof(text), "#%199s\n#%198s\n", "x = y", "x = y");
	assert_read(text, strlen(text), "");
}

static void
test_binary_file_is_given_up(void **state)
{
	char text[1000];
	char *got;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 ? '\n' : '\0';
	got = read_all((struct bytes){ .next = text, .left = sizeof(text) });
	assert_non_null(strstr(got, "t:100: the line contains a NUL byte\n"));
	assert_null(strstr(got, "t:101:"));
	assert_non_null(strstr(got, "t: is not a text file\n"));
	free(got);
}

static void
test_too_large(void **state)
{
	size_t size = READER_BYTES + 1;
	char *text = malloc(size), *got;

	(void)state;
	memset(text, '\n', size);
	assert_read(text, size - 1, "");
	got = read_all((struct bytes){ .next = text, .left = size });
	assert_string_equal(got, "t: is larger than 16777216 bytes: that is "
	    "no configuration\n");
	free(got);
	free(text);
}

static void
test_read_error(void **state)
{
	char *got = read_all((struct bytes){ .next = "a\n", .left = 2,
	    .error = -EIO });

	(void)state;
	assert_string_equal(got, "1:a\nt: cannot read: Input/output error\n");
	free(got);
}

static void
assert_same_in_pieces(const char *text, size_t len)
{
	struct bytes whole = { .next = text, .left = len }, pieces;
	char *expected = read_all(whole), *got;

	for (size_t i = 1; i <= len && i < 64; i++) {
		for (int split = 0; split < 2; split++) {
			pieces = whole;
			*(split ? &pieces.split : &pieces.step) = i;
			got = read_all(pieces);
			assert_string_equal(got, expected);
			free(got);
		}
	}
	free(expected);
}

/* Property: how the bytes arrive changes nothing. */
static void
test_chunks_change_nothing(void **state)
{
	static const char *const parts[] = { "\n", "\r\n", "\r", " ", "\t",
		";", "#", "=", "[", "]", "a", "key = value", "\xc3\xa9",
		"\xc3", "\xef\xbb\xbf", "\x01", "0123456789012345678901234567"
		"89012345678901234567890123456789012345678901234567890123456"
		"78901234567890123456789012345678901234567890123456789012345",
	};
	char text[4096];

	(void)state;
	srand(1);
	for (int round = 0; round < 300; round++) {
		size_t len = 0;

		for (int n = rand() % 24; n > 0; n--) {
			const char *part = parts[(size_t)rand() %
			    (sizeof(parts) / sizeof(parts[0]))];

			memcpy(text + len, part, strlen(part));
			len += strlen(part);
			if (rand() % 16 == 0)
				text[len++] = '\0';
		}
		assert_same_in_pieces(text, len);
	}
}

/* A line longer than the reader's own chunk, cut at every place near it. */
static void
test_line_over_the_chunk(void **state)
{
	char text[10000];

	(void)state;
	for (size_t len = 4090; len < 4102; len++) {
		memset(text, 'c', sizeof(text));
		text[0] = ';';
		memcpy(text + len, "\na = b\r\n", 8);
		assert_read(text, len + 8, "2:a = b\n");
		memcpy(text + len, "\r\na\n", 4);
		assert_read(text, len + 4, "2:a\n");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_are_counted),
		cmocka_unit_test(test_blanks_and_comments),
		cmocka_unit_test(test_byte_order_mark),
		cmocka_unit_test(test_what_is_no_text),
		cmocka_unit_test(test_line_lengths),
		cmocka_unit_test(test_only_the_live_part_is_measured),
		cmocka_unit_test(test_binary_file_is_given_up),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_read_error),
		cmocka_unit_test(test_chunks_change_nothing),
		cmocka_unit_test(test_line_over_the_chunk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
