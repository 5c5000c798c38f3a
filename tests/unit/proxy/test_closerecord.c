#include "proxy/closerecord.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What every line ends with here. */
#define TAIL " bytes_to_upstream=120 bytes_to_client=4096 attempts=2" \
	" connect_ms=3 first_byte_ms=9 total_ms=1500" \
	" client_rtt_us=40 client_retransmits=0" \
	" upstream_rtt_us=1250 upstream_retransmits=7"

#define HEAD "time=2026-01-02T03:04:05.678Z id=5f2a-1-42"
#define WHO " listener=pg client=192.0.2.1:5050 upstream=db/10.0.0.7:5432"

static struct closerecord
record(void)
{
	return (struct closerecord){
		.time = "2026-01-02T03:04:05.678Z",
		.id = UINT64_C(0x5f2a) << 48 | UINT64_C(1) << 36 | 42,
		.listener = "pg",
		.upstream = "db",
		.server = "10.0.0.7:5432",
		.client = { .family = AF_INET, .port = 5050,
			.ip = { 192, 0, 2, 1 } },
		.phase = "relay",
		.ending = { .by = BY_CLIENT, .how = HOW_FIN },
		.bytes_to_upstream = 120,
		.bytes_to_client = 4096,
		.attempts = 2,
		.connect_ms = 3,
		.first_byte_ms = 9,
		.total_ms = 1500,
		.client_rtt_us = 40,
		.upstream_rtt_us = 1250,
		.upstream_retransmits = 7,
	};
}

static void
assert_line(const struct closerecord *r, const char *wanted)
{
	char line[CLOSERECORD_LINE];
	size_t len = closerecord_text(r, line, sizeof(line));

	assert_string_equal(line, wanted);
	assert_int_equal(len, strlen(wanted));
}

static void
client_said_fin(void **state)
{
	struct closerecord r = record();

	(void)state;
	assert_line(&r, HEAD WHO " phase=relay closed_by=client how=fin" TAIL);
}

static void
upstream_reset(void **state)
{
	struct closerecord r = record();

	(void)state;
	r.phase = "flush";
	r.ending = (struct ending){ .by = BY_UPSTREAM, .how = HOW_RST,
		.error = -ECONNRESET };
	assert_line(&r, HEAD WHO " phase=flush closed_by=upstream how=rst"
	    " error=\"Connection reset by peer\"" TAIL);
}

static void
rule_of_the_listener(void **state)
{
	struct closerecord r = record();

	(void)state;
	r.ending = (struct ending){ .by = BY_PROXY, .how = HOW_TIMEOUT,
		.cause = "idle", .rule = "idle_timeout",
		.limit_ms = 24 * 3600 * 1000 };
	assert_line(&r, HEAD WHO " phase=relay closed_by=proxy how=timeout"
	    " cause=\"idle 24h (idle_timeout of listener pg)\"" TAIL);
}

static void
rule_of_the_upstream(void **state)
{
	struct closerecord r = record();

	(void)state;
	r.phase = "connect";
	r.ending = (struct ending){ .by = BY_PROXY, .how = HOW_TIMEOUT,
		.cause = "connect", .rule = "connect_timeout",
		.of_upstream = true, .limit_ms = 5000 };
	assert_line(&r, HEAD WHO " phase=connect closed_by=proxy how=timeout"
	    " cause=\"connect 5s (connect_timeout of upstream db)\"" TAIL);
}

static void
cause_without_a_rule(void **state)
{
	struct closerecord r = record();

	(void)state;
	r.ending = (struct ending){ .by = BY_PROXY, .how = HOW_DRAIN,
		.cause = "stopped" };
	assert_line(&r, HEAD WHO " phase=relay closed_by=proxy how=drain"
	    " cause=\"stopped\"" TAIL);
}

static void
detail_of_a_cause(void **state)
{
	struct closerecord r = record();

	(void)state;
	r.phase = "route";
	r.server[0] = '\0';
	strcpy(r.detail, "db.example: Name or service not known");
	r.ending = (struct ending){ .by = BY_PROXY, .how = HOW_ERROR,
		.cause = "no server" };
	assert_line(&r, HEAD " listener=pg client=192.0.2.1:5050 upstream=db"
	    " phase=route closed_by=proxy how=error"
	    " cause=\"no server: db.example: Name or service not known\"" TAIL);
}

static void
connect_failed(void **state)
{
	struct closerecord r = record();

	(void)state;
	r.phase = "connect";
	r.ending = (struct ending){ .by = BY_UPSTREAM, .how = HOW_ERROR,
		.cause = "connect failed", .error = -ECONNREFUSED };
	assert_line(&r, HEAD WHO " phase=connect closed_by=upstream how=error"
	    " cause=\"connect failed\" error=\"Connection refused\"" TAIL);
}

static void
every_way_has_a_word(void **state)
{
	static const struct {
		enum close_how how;
		const char    *word;
	} ways[] = {
		{ HOW_FIN, "fin" }, { HOW_RST, "rst" },
		{ HOW_TIMEOUT, "timeout" }, { HOW_KILL, "kill" },
		{ HOW_ERROR, "error" }, { HOW_DRAIN, "drain" },
		{ HOW_LIMIT, "limit" },
	};
	struct closerecord r = record();
	char wanted[CLOSERECORD_LINE];

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		r.ending.how = ways[i].how;
		snprintf(wanted, sizeof(wanted), "%s%s phase=relay "
		    "closed_by=client how=%s%s", HEAD, WHO, ways[i].word, TAIL);
		assert_line(&r, wanted);
	}
}

static void
before_there_is_an_upstream(void **state)
{
	struct closerecord r = record();

	(void)state;
	r.phase = "admit";
	r.upstream[0] = '\0';
	r.ending.how = HOW_LIMIT;
	assert_line(&r, HEAD " listener=pg client=192.0.2.1:5050 phase=admit"
	    " closed_by=client how=limit" TAIL);
}

static void
clients_of_every_family(void **state)
{
	struct closerecord r = record();

	(void)state;
	r.client = (struct peer){ .family = AF_UNIX };
	assert_line(&r, HEAD " listener=pg client=unix:"
	    " upstream=db/10.0.0.7:5432 phase=relay closed_by=client how=fin"
	    TAIL);
	r.client = (struct peer){ .family = AF_INET6, .port = 99,
		.ip = { 0x20, 0x01, 0x0d, 0xb8, [15] = 7 } };
	assert_line(&r, HEAD " listener=pg client=[2001:db8::7]:99"
	    " upstream=db/10.0.0.7:5432 phase=relay closed_by=client how=fin"
	    TAIL);
}

/* No byte of a path may end the line or the field it is in. */
static void
hostile_path_is_escaped(void **state)
{
	struct closerecord r = record();

	(void)state;
	strcpy(r.server, "unix:/tmp/\"a\\\n\x1b[31m\xff");
	assert_line(&r, HEAD " listener=pg client=192.0.2.1:5050"
	    " upstream=db/unix:/tmp/\\\"a\\\\\\n\\x1b[31m\\xff"
	    " phase=relay closed_by=client how=fin" TAIL);
}

static void
longest_path_fits(void **state)
{
	struct closerecord r = record();
	char line[CLOSERECORD_LINE];

	(void)state;
	memset(r.server, '\n', sizeof(r.server) - 1);
	memset(r.listener, 'l', sizeof(r.listener) - 1);
	memset(r.upstream, 'u', sizeof(r.upstream) - 1);
	closerecord_text(&r, line, sizeof(line));
	assert_non_null(strstr(line, " phase=relay closed_by=client how=fin"));
	assert_null(strchr(line, '\n'));
}

/* As much as fits, and nothing written behind it. */
static void
cut_at_every_size(void **state)
{
	struct closerecord r = record();
	char whole[CLOSERECORD_LINE], line[CLOSERECORD_LINE];
	size_t len, cut;

	(void)state;
	r.ending = (struct ending){ .by = BY_PROXY, .how = HOW_TIMEOUT,
		.cause = "idle", .rule = "idle_timeout", .limit_ms = 1500,
		.error = -ETIMEDOUT };
	len = closerecord_text(&r, whole, sizeof(whole));
	assert_int_equal(len, strlen(whole));
	for (size_t size = 1; size <= len + 2; size++) {
		memset(line, 'x', sizeof(line));
		cut = closerecord_text(&r, line, size);
		assert_int_equal(cut, size <= len ? size - 1 : len);
		assert_memory_equal(line, whole, cut);
		assert_int_equal(line[cut], '\0');
		assert_int_equal(line[size], 'x');
	}
}

static void
id_as_people_see_it(void **state)
{
	char text[CLOSERECORD_ID];

	(void)state;
	closerecord_id(0, text);
	assert_string_equal(text, "0000-0-0");
	closerecord_id(UINT64_C(0x00a1) << 48 | UINT64_C(17) << 36 |
	    UINT64_C(123456789), text);
	assert_string_equal(text, "00a1-17-123456789");
	closerecord_id(UINT64_MAX, text);
	assert_string_equal(text, "ffff-4095-68719476735");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(client_said_fin),
		cmocka_unit_test(upstream_reset),
		cmocka_unit_test(rule_of_the_listener),
		cmocka_unit_test(rule_of_the_upstream),
		cmocka_unit_test(cause_without_a_rule),
		cmocka_unit_test(detail_of_a_cause),
		cmocka_unit_test(connect_failed),
		cmocka_unit_test(every_way_has_a_word),
		cmocka_unit_test(before_there_is_an_upstream),
		cmocka_unit_test(clients_of_every_family),
		cmocka_unit_test(hostile_path_is_escaped),
		cmocka_unit_test(longest_path_fits),
		cmocka_unit_test(cut_at_every_size),
		cmocka_unit_test(id_as_people_see_it),
	};

	return cmocka_run_group_tests_name("closerecord", tests, NULL, NULL);
}
