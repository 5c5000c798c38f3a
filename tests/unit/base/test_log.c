#include "base/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char last[LOG_LINE + 1];
static enum log_level last_level;
static unsigned count;

static void
sink(enum log_level level, const char *line, size_t len)
{
	assert_int_equal(strlen(line), len);
	assert_true(len < LOG_LINE);
	memcpy(last, line, len + 1);
	last_level = level;
	count++;
}

static int
setup(void **state)
{
	(void)state;
	log_set_sink(sink);
	log_set_level(LOG_LEVEL_INFO);
	count = 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	log_set_sink(NULL);
	log_set_level(LOG_LEVEL_INFO);
	return 0;
}

static void
test_error_text_is_added(void **state)
{
	(void)state;
	log_error(-ENOENT, "config %s", "x");
	assert_string_equal(last, "config x: No such file or directory");
	assert_int_equal(last_level, LOG_LEVEL_ERROR);
	log_warn(0, "only words");
	assert_string_equal(last, "only words");
	assert_int_equal(last_level, LOG_LEVEL_WARN);
}

static void
test_levels(void **state)
{
	(void)state;
	log_debug("no");
	assert_int_equal(count, 0);
	log_info("yes");
	assert_int_equal(count, 1);
	log_set_level(LOG_LEVEL_ERROR);
	log_info("no");
	log_warn(0, "no");
	assert_int_equal(count, 1);
	log_error(0, "yes");
	assert_int_equal(count, 2);
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("yes");
	assert_int_equal(count, 3);
}

/* The cause survives however long the rest is. */
static void
test_long_line_is_cut(void **state)
{
	char big[3 * LOG_LINE];

	(void)state;
	memset(big, 'b', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	for (size_t len = LOG_LINE - 4; len <= LOG_LINE + 4; len++) {
		log_info("%.*s", (int)len, big);
		assert_int_equal(strlen(last),
		    len < LOG_LINE ? len : LOG_LINE - 1);
	}
	assert_string_equal(last + LOG_LINE - 1 - 5, "bb...");
	log_error(-EPIPE, "%s", big);
	assert_int_equal(strlen(last), LOG_LINE - 1);
	assert_non_null(strstr(last, "b...: Broken pipe"));
}

static void
test_one_line_stays_one(void **state)
{
	(void)state;
	log_info("a\nerror: b\r\x1b[31m\x7f\xc3\xa9");
	assert_string_equal(last, "a?error: b??[31m?\xc3\xa9");
}

static void
to_stderr(const char *expected, void (*write_lines)(void))
{
	char path[] = "/tmp/test_log_XXXXXX", got[256] = "";
	int fd = mkstemp(path), saved = dup(2);

	assert_true(fd >= 0 && saved >= 0);
	unlink(path);
	dup2(fd, 2);
	write_lines();
	dup2(saved, 2);
	assert_true(pread(fd, got, sizeof(got) - 1, 0) >= 0);
	close(saved);
	close(fd);
	assert_string_equal(got, expected);
}

static void
write_each_level(void)
{
	log_set_sink(NULL);
	log_set_level(LOG_LEVEL_DEBUG);
	log_error(-EACCES, "one");
	log_warn(0, "two");
	log_info("three");
	log_debug("four");
}

static void
test_stderr_has_prefixes(void **state)
{
	(void)state;
	to_stderr("error: one: Permission denied\nwarning: two\nthree\nfour\n",
	    write_each_level);
}

/* Catalogue 96: nobody listens, and nothing happens. */
static void
test_closed_stderr(void **state)
{
	int saved = dup(2);

	(void)state;
	close(2);
	log_set_sink(NULL);
	log_error(0, "nobody hears this");
	dup2(saved, 2);
	close(saved);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_error_text_is_added,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_line_is_cut, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_one_line_stays_one, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_stderr_has_prefixes,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_closed_stderr, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
