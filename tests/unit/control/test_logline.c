#include "logline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define NOON UINT64_C(1767323045678000000) /* 2026-01-02T03:04:05.678Z */

static struct message
message(enum log_level level, const char *text)
{
	struct message m = { .time = NOON, .level = level,
		.len = strlen(text) };

	memcpy(m.text, text, m.len);
	return m;
}

static void
assert_message(enum logdevice_style style, enum log_format format,
    enum log_level level, const char *wanted)
{
	struct message m = message(level, "config '/x'");
	char line[LOGDEVICE_LINE];
	size_t len = logline_message(style, format, &m, line);

	assert_int_equal(len, strlen(line));
	assert_string_equal(line, wanted);
}

#define LOGFMT(level) "time=2026-01-02T03:04:05.678Z level=" level \
	" msg=\"config '/x'\""
#define JSON(level) "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"" \
	level "\",\"msg\":\"config '/x'\"}"

static void
plain_is_for_people(void **state)
{
	(void)state;
	assert_message(LOGDEVICE_PLAIN, LOG_FORMAT_TEXT, LOG_LEVEL_ERROR,
	    "error: config '/x'");
	assert_message(LOGDEVICE_PLAIN, LOG_FORMAT_TEXT, LOG_LEVEL_WARN,
	    "warning: config '/x'");
	assert_message(LOGDEVICE_PLAIN, LOG_FORMAT_TEXT, LOG_LEVEL_INFO,
	    "config '/x'");
	assert_message(LOGDEVICE_PLAIN, LOG_FORMAT_JSON, LOG_LEVEL_INFO,
	    JSON("info"));
}

static void
the_journal_is_told_the_level(void **state)
{
	(void)state;
	assert_message(LOGDEVICE_JOURNAL, LOG_FORMAT_TEXT, LOG_LEVEL_ERROR,
	    "<3>config '/x'");
	assert_message(LOGDEVICE_JOURNAL, LOG_FORMAT_TEXT, LOG_LEVEL_WARN,
	    "<4>config '/x'");
	assert_message(LOGDEVICE_JOURNAL, LOG_FORMAT_TEXT, LOG_LEVEL_INFO,
	    "<6>config '/x'");
	assert_message(LOGDEVICE_JOURNAL, LOG_FORMAT_JSON, LOG_LEVEL_DEBUG,
	    "<7>" JSON("debug"));
}

static void
a_file_has_the_time(void **state)
{
	(void)state;
	assert_message(LOGDEVICE_FILE, LOG_FORMAT_TEXT, LOG_LEVEL_WARN,
	    LOGFMT("warn"));
	assert_message(LOGDEVICE_FILE, LOG_FORMAT_JSON, LOG_LEVEL_ERROR,
	    JSON("error"));
}

/* RFC 3164: facility daemon (3), the day padded with a blank. */
static void
syslog_has_a_head(void **state)
{
	char wanted[256];

	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	snprintf(wanted, sizeof(wanted),
	    "<28>Jan  2 03:04:05 sluice[%d]: warning: config '/x'",
	    (int)getpid());
	assert_message(LOGDEVICE_SYSLOG, LOG_FORMAT_TEXT, LOG_LEVEL_WARN,
	    wanted);
	snprintf(wanted, sizeof(wanted),
	    "<30>Jan  2 03:04:05 sluice[%d]: " JSON("info"), (int)getpid());
	assert_message(LOGDEVICE_SYSLOG, LOG_FORMAT_JSON, LOG_LEVEL_INFO,
	    wanted);
}

/* RFC 3164 knows no zones: it is the machine's. */
static void
syslog_has_the_local_time(void **state)
{
	char wanted[256];

	(void)state;
	setenv("TZ", "ABC-5:30", 1);
	tzset();
	snprintf(wanted, sizeof(wanted),
	    "<30>Jan  2 08:34:05 sluice[%d]: config '/x'", (int)getpid());
	assert_message(LOGDEVICE_SYSLOG, LOG_FORMAT_TEXT, LOG_LEVEL_INFO,
	    wanted);
	setenv("TZ", "UTC", 1);
	tzset();
}

static void
hostile_message(void **state)
{
	struct message m = message(LOG_LEVEL_INFO, "a\"b\\c=\n\xff");
	char line[LOGDEVICE_LINE];

	(void)state;
	logline_message(LOGDEVICE_FILE, LOG_FORMAT_TEXT, &m, line);
	assert_string_equal(strstr(line, "msg="),
	    "msg=\"a\\\"b\\\\c=\\n\\ufffd\"");
}

/* Nothing is longer than a pipe takes in one piece, with its newline. */
static void
the_longest_fits(void **state)
{
	struct closerecord r = { .listener = "l", .phase = "relay" };
	struct message m = { .len = LOG_LINE - 1 };
	char line[LOGDEVICE_LINE];

	(void)state;
	memset(m.text, '"', m.len);
	memset(r.listener, 1, sizeof(r.listener) - 1);
	memset(r.upstream, 1, sizeof(r.upstream) - 1);
	memset(r.server, 1, sizeof(r.server) - 1);
	memset(r.detail, 1, sizeof(r.detail) - 1);
	for (int style = 0; style <= LOGDEVICE_SYSLOG; style++) {
		for (int format = 0; format < 2; format++) {
			assert_true(logline_message(style, format, &m, line) <
			    LOGDEVICE_LINE);
			assert_null(strstr(line, "..."));
			assert_true(logline_record(style, format, &r, line) <
			    LOGDEVICE_LINE);
			assert_non_null(strstr(line, "upstream_retransmits"));
		}
	}
}

static void
records_have_a_level(void **state)
{
	struct closerecord r = { .time = NOON, .listener = "l",
		.phase = "relay" };
	char line[LOGDEVICE_LINE];

	(void)state;
	logline_record(LOGDEVICE_JOURNAL, LOG_FORMAT_TEXT, &r, line);
	assert_memory_equal(line, "<6>time=2026-01-02T03:04:05.678Z id=", 36);
	r.ending.how = HOW_ERROR;
	logline_record(LOGDEVICE_JOURNAL, LOG_FORMAT_JSON, &r, line);
	assert_memory_equal(line, "<4>{\"time\":", 11);
	logline_record(LOGDEVICE_SYSLOG, LOG_FORMAT_TEXT, &r, line);
	assert_memory_equal(line, "<28>Jan", 7);
	logline_record(LOGDEVICE_FILE, LOG_FORMAT_TEXT, &r, line);
	assert_memory_equal(line, "time=", 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_is_for_people),
		cmocka_unit_test(the_journal_is_told_the_level),
		cmocka_unit_test(a_file_has_the_time),
		cmocka_unit_test(syslog_has_a_head),
		cmocka_unit_test(syslog_has_the_local_time),
		cmocka_unit_test(hostile_message),
		cmocka_unit_test(the_longest_fits),
		cmocka_unit_test(records_have_a_level),
	};

	return cmocka_run_group_tests_name("logline", tests, NULL, NULL);
}
