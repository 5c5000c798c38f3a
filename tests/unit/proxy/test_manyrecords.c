/* Records of random bytes, read by jq and by a strict reader of logfmt.
 *
 *	RECORDS=1000000 build/release/unit/proxy/test_manyrecords
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../skip.h"
#include "proxy/closerecord.h"

/* Runs from the top of the repository, as all tests do. */
#define JQ "jq -r 'select((.time | length) == 24 and" \
	" (.event == \"end\" or .closed_by == null) and .total_ms >= 0) |" \
	" \"x\"' | wc -l"
#define LOGFMT "/usr/bin/python3 tests/integration/lib/logfmt.py"

static uint64_t seed;

static uint64_t
any(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Small more often than large, up to the largest. */
static uint64_t
any_number(void)
{
	return any() >> any() % 64;
}

/* Text, or bytes of which one in three is a troublemaker. */
static void
any_text(char *text, size_t size)
{
	static const char evil[] = "\"\\\n\r\t =\x7f\x1b\x80\xff\xc3\xe2\x82\xed"
	    "\xa0\xf4\x90{}[],:'/";
	size_t len = any() % size;
	bool plain = any() % 3 == 0;

	for (size_t i = 0; i < len; i++) {
		text[i] = (char)(plain ? 'a' + any() % 26 : 1 + any() % 255);
		if (!plain && any() % 3 == 0)
			text[i] = evil[any() % (sizeof(evil) - 1)];
	}
	text[len] = '\0';
}

static void
any_ending(struct ending *e)
{
	static const char *const causes[] = { NULL, "idle", "connect failed" };
	static const char *const rules[] = { NULL, "idle_timeout" };

	e->by = (enum closed_by)(any() % CLOSED_BYS);
	e->how = (enum close_how)(any() % CLOSE_HOWS);
	e->error = any() % 2 ? 0 : -(int)(any() % 200);
	e->cause = causes[any() % 3];
	e->rule = rules[any() % 2];
	e->of_upstream = any() % 2;
	e->of_global = any() % 3 == 0;
	e->limit_ms = any() % 2 ? 0 : any_number();
}

static void
any_peer(struct peer *peer)
{
	static const uint16_t families[] = { AF_INET, AF_INET6, AF_UNIX, 0 };

	peer->family = families[any() % 4];
	peer->port = (uint16_t)any();
	peer->scope = any() % 2 ? 0 : (uint32_t)any();
	for (size_t i = 0; i < sizeof(peer->ip); i++)
		peer->ip[i] = any() % 2 ? 0 : (uint8_t)any();
}

static void
any_record(struct closerecord *r)
{
	r->time = any() % UINT64_C(4102444800000000000);
	r->id = any();
	r->event = (enum record_event)(any() % 3);
	any_text(r->listener, sizeof(r->listener));
	any_text(r->upstream, sizeof(r->upstream));
	any_text(r->server, sizeof(r->server));
	any_text(r->detail, sizeof(r->detail));
	any_peer(&r->client);
	r->phase = "relay";
	any_ending(&r->ending);
	/* what jq holds as a double it may print otherwise, but reads */
	r->bytes_to_upstream = any_number();
	r->bytes_to_client = any_number();
	r->queue_ms = any_number();
	r->total_ms = any_number();
	r->client_rtt_us = (uint32_t)any_number();
}

static bool
have(const char *program)
{
	char command[128];

	snprintf(command, sizeof(command), "command -v %s >/dev/null", program);
	return system(command) == 0;
}

/* Writes as many as RECORDS says to the reader, which counts them. */
static void
read_by(const char *reader, enum log_format format)
{
	const char *wish = getenv("RECORDS");
	unsigned long count = wish != NULL ? strtoul(wish, NULL, 10) : 20000;
	char command[256], line[CLOSERECORD_LINE + 1], counted[32] = "";
	char path[] = "/tmp/test_manyrecords.XXXXXX";
	int fd = mkstemp(path);
	FILE *to;

	seed = 0x9e3779b97f4a7c15;
	snprintf(command, sizeof(command), "%s >%s", reader, path);
	to = popen(command, "w");
	assert_non_null(to);
	for (unsigned long i = 0; i < count; i++) {
		struct closerecord r = { 0 };
		size_t len;

		any_record(&r);
		len = closerecord_line(&r, format, line, sizeof(line));
		line[len++] = '\n';
		assert_int_equal(fwrite(line, 1, len, to), len);
	}
	assert_int_equal(pclose(to), 0);
	assert_true(read(fd, counted, sizeof(counted) - 1) > 0);
	assert_int_equal(strtoul(counted, NULL, 10), count);
	close(fd);
	unlink(path);
}

static void
jq_reads_them(void **state)
{
	(void)state;
	if (!have("jq"))
		SKIP("jq is not installed");
	read_by(JQ, LOG_FORMAT_JSON);
}

static void
a_reader_of_logfmt_reads_them(void **state)
{
	(void)state;
	read_by(LOGFMT, LOG_FORMAT_TEXT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jq_reads_them),
		cmocka_unit_test(a_reader_of_logfmt_reads_them),
	};

	return cmocka_run_group_tests_name("manyrecords", tests, NULL, NULL);
}
