#include "proxy/closerecord.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What every line ends with here. */
#define TAIL " bytes_to_upstream=120 bytes_to_client=4096 attempts=2" \
	" queue_ms=1 connect_ms=3 first_byte_ms=9 total_ms=1500" \
	" client_rtt_us=40 client_retransmits=0" \
	" upstream_rtt_us=1250 upstream_retransmits=7"

#define TIME "time=2026-01-02T03:04:05.678Z id=5f2a-1-42"
#define HEAD TIME " event=end"
#define WHO " listener=pg client=192.0.2.1:5050 upstream=db/10.0.0.7:5432"

static struct closerecord
record(void)
{
	return (struct closerecord){
		.time = UINT64_C(1767323045678000000),
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
		.queue_ms = 1,
		.connect_ms = 3,
		.first_byte_ms = 9,
		.total_ms = 1500,
		.client_rtt_us = 40,
		.upstream_rtt_us = 1250,
		.upstream_retransmits = 7,
	};
}

static void
assert_line_as(const struct closerecord *r, enum log_format format,
    const char *wanted)
{
	char line[CLOSERECORD_LINE];
	size_t len = closerecord_line(r, format, line, sizeof(line));

	assert_string_equal(line, wanted);
	assert_int_equal(len, strlen(wanted));
}

static void
assert_line(const struct closerecord *r, const char *wanted)
{
	assert_line_as(r, LOG_FORMAT_TEXT, wanted);
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

/* The socket's address, where the session carries another. */
static void
client_behind_a_proxy(void **state)
{
	struct closerecord r = record();

	(void)state;
	r.phase = "greeting";
	r.upstream[0] = '\0';
	r.via = (struct peer){ .family = AF_INET, .port = 7,
		.ip = { 127, 0, 0, 1 } };
	assert_line(&r, HEAD " listener=pg client=192.0.2.1:5050"
	    " via=127.0.0.1:7 phase=greeting closed_by=client how=fin" TAIL);
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
	strcpy(r.server, "unix:/tmp/\"a =\\\n\x1b[31m\xff");
	assert_line(&r, HEAD " listener=pg client=192.0.2.1:5050"
	    " upstream=\"db/unix:/tmp/\\\"a =\\\\\\n\\u001b[31m\\ufffd\""
	    " phase=relay closed_by=client how=fin" TAIL);
}

static void
start_and_interval_have_no_ending(void **state)
{
	struct closerecord r = record();

	(void)state;
	r.event = RECORD_START;
	assert_line(&r, TIME " event=start" WHO " phase=relay" TAIL);
	r.event = RECORD_INTERVAL;
	r.ending = (struct ending){ .cause = "none", .error = -EPIPE };
	assert_line(&r, TIME " event=interval" WHO " phase=relay" TAIL);
}

static void
the_same_as_json(void **state)
{
	struct closerecord r = record();

	(void)state;
	r.ending = (struct ending){ .by = BY_PROXY, .how = HOW_TIMEOUT,
		.cause = "idle", .rule = "idle_timeout", .limit_ms = 1500,
		.error = -ETIMEDOUT };
	assert_line_as(&r, LOG_FORMAT_JSON,
	    "{\"time\":\"2026-01-02T03:04:05.678Z\",\"id\":\"5f2a-1-42\","
	    "\"event\":\"end\",\"listener\":\"pg\","
	    "\"client\":\"192.0.2.1:5050\","
	    "\"upstream\":\"db/10.0.0.7:5432\",\"phase\":\"relay\","
	    "\"closed_by\":\"proxy\",\"how\":\"timeout\","
	    "\"cause\":\"idle 1500ms (idle_timeout of listener pg)\","
	    "\"error\":\"Connection timed out\","
	    "\"bytes_to_upstream\":120,\"bytes_to_client\":4096,"
	    "\"attempts\":2,\"queue_ms\":1,\"connect_ms\":3,"
	    "\"first_byte_ms\":9,\"total_ms\":1500,\"client_rtt_us\":40,"
	    "\"client_retransmits\":0,\"upstream_rtt_us\":1250,"
	    "\"upstream_retransmits\":7}");
}

static void
unknown_error(void **state)
{
	struct closerecord r = record();

	(void)state;
	r.ending.error = -4000;
	assert_line(&r, HEAD WHO " phase=relay closed_by=client how=fin"
	    " error=\"unknown\"" TAIL);
}

static void
what_was_heard_first(void **state)
{
	struct closerecord r = record();

	(void)state;
	r.protocol = "tls";
	strcpy(r.sni, "db.example");
	assert_line(&r, HEAD WHO " protocol=tls sni=db.example phase=relay"
	    " closed_by=client how=fin" TAIL);
	strcpy(r.sni, "db\\x00.\"x=y\"");
	strcpy(r.note, "a TLS hello that is broken");
	assert_line(&r, HEAD WHO " protocol=tls"
	    " sni=\"db\\\\x00.\\\"x=y\\\"\""
	    " note=\"a TLS hello that is broken\" phase=relay"
	    " closed_by=client how=fin" TAIL);
	strcpy(r.route, "sni *.example");
	assert_line(&r, HEAD WHO " protocol=tls"
	    " sni=\"db\\\\x00.\\\"x=y\\\"\" route=\"sni *.example\""
	    " note=\"a TLS hello that is broken\" phase=relay"
	    " closed_by=client how=fin" TAIL);
	r.route[0] = '\0';
	r.protocol = "";
	r.sni[0] = '\0';
	assert_line(&r, HEAD WHO " note=\"a TLS hello that is broken\""
	    " phase=relay closed_by=client how=fin" TAIL);
}

/* The longest escapes in the longest names, and every number at its end. */
static struct closerecord
longest(void)
{
	struct closerecord r = record();

	memset(&r.bytes_to_upstream, 0xff, sizeof(r) -
	    offsetof(struct closerecord, bytes_to_upstream));
	memset(r.server, '\r', sizeof(r.server) - 1);
	memset(r.listener, '\r', sizeof(r.listener) - 1);
	memset(r.upstream, '\r', sizeof(r.upstream) - 1);
	memset(r.detail, '"', sizeof(r.detail) - 1);
	/* printable, as sni and note always are; a name has no escapes */
	memset(r.sni, 'a', sizeof(r.sni) - 1);
	memset(r.route, '"', sizeof(r.route) - 1);
	memset(r.note, '"', sizeof(r.note) - 1);
	r.protocol = "bittorrent";
	r.client = (struct peer){ .family = AF_INET6, .port = 65535 };
	memset(r.client.ip, 0xff, sizeof(r.client.ip));
	r.via = r.client;
	r.ending = (struct ending){ .by = BY_PROXY, .how = HOW_TIMEOUT,
		.cause = "half-closed and silent, or something as long",
		.rule = "half_close_timeout", .limit_ms = UINT64_MAX,
		.error = -EINPROGRESS };
	r.id = UINT64_MAX;
	return r;
}

static void
longest_record_fits(void **state)
{
	struct closerecord r = longest();
	char line[CLOSERECORD_LINE];

	(void)state;
	for (int format = 0; format < 2; format++) {
		closerecord_line(&r, format, line, sizeof(line));
		assert_non_null(strstr(line, "half_close_timeout of listener"));
		assert_non_null(strstr(line, format == LOG_FORMAT_JSON ?
		    "\"upstream_retransmits\":4294967295}" :
		    " upstream_retransmits=4294967295"));
		assert_null(strstr(line, "..."));
		assert_null(strchr(line, '\r'));
	}
}

static size_t
quotes_of(const char *line)
{
	size_t quotes = 0;

	for (const char *s = line; *s != '\0'; s++)
		quotes += *s == '"' && (s == line || s[-1] != '\\');
	return quotes;
}

/* As many fields as fit, and nothing written behind them. */
static void
cut_at_every_size(void **state)
{
	struct closerecord r = longest();
	char line[CLOSERECORD_LINE];
	size_t len;

	(void)state;
	for (size_t size = 8; size < sizeof(line); size++) {
		for (int format = 0; format < 2; format++) {
			memset(line, 'x', sizeof(line));
			len = closerecord_line(&r, format, line, size);
			assert_true(len < size);
			assert_int_equal(line[len], '\0');
			assert_int_equal(line[size], 'x');
			assert_int_equal(quotes_of(line) % 2, 0);
		}
	}
}

/* What an operator looks for first. */
static void
levels(void **state)
{
	struct closerecord r = record();

	(void)state;
	assert_int_equal(closerecord_level(&r), LOG_LEVEL_INFO);
	r.ending.how = HOW_RST;
	assert_int_equal(closerecord_level(&r), LOG_LEVEL_INFO);
	r.ending.how = HOW_TIMEOUT;
	assert_int_equal(closerecord_level(&r), LOG_LEVEL_INFO);
	r.ending.of_upstream = true;
	assert_int_equal(closerecord_level(&r), LOG_LEVEL_WARN);
	r.ending.how = HOW_LIMIT;
	assert_int_equal(closerecord_level(&r), LOG_LEVEL_WARN);
	r.ending.how = HOW_ERROR;
	assert_int_equal(closerecord_level(&r), LOG_LEVEL_WARN);
	r.event = RECORD_INTERVAL;
	assert_int_equal(closerecord_level(&r), LOG_LEVEL_INFO);
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

static void
id_is_read_again(void **state)
{
	static const uint64_t ids[] = { 1, UINT64_MAX,
		UINT64_C(0x00a1) << 48 | UINT64_C(17) << 36 | 123456789 };
	static const char *const wrong[] = { "", "a1-17-1", "00a1-17", "00a1-17-",
		"00a1-17-1x", "00a1-17-01", " 00a1-17-1", "00a1-+7-1",
		"00a1-4096-1", "00a1-0-68719476736", "00a1-0--1", "0x0a-1-1",
		"00a1-17-99999999999999999999999" };
	char text[CLOSERECORD_ID];
	uint64_t id;

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		closerecord_id(ids[i], text);
		assert_true(closerecord_id_parse(text, &id));
		assert_int_equal(id, ids[i]);
	}
	assert_true(closerecord_id_parse("00A1-17-123456789", &id));
	assert_int_equal(id, ids[2]);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (closerecord_id_parse(wrong[i], &id))
			fail_msg("'%s' was taken", wrong[i]);
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
		cmocka_unit_test(client_behind_a_proxy),
		cmocka_unit_test(clients_of_every_family),
		cmocka_unit_test(hostile_path_is_escaped),
		cmocka_unit_test(start_and_interval_have_no_ending),
		cmocka_unit_test(the_same_as_json),
		cmocka_unit_test(unknown_error),
		cmocka_unit_test(what_was_heard_first),
		cmocka_unit_test(longest_record_fits),
		cmocka_unit_test(levels),
		cmocka_unit_test(cut_at_every_size),
		cmocka_unit_test(id_as_people_see_it),
		cmocka_unit_test(id_is_read_again),
	};

	return cmocka_run_group_tests_name("closerecord", tests, NULL, NULL);
}
