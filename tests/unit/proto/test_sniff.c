#include "proto/sniff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* 'bytes' and how many there are. */
#define BYTES(text) text, sizeof(text) - 1

static const struct known {
	const char *bytes;
	size_t	    len;
	const char *protocol, *text;
} KNOWN[] = {
	{ BYTES("\x16\x03\x01\x02\x00\x01"), "tls", "a TLS hello" },
	{ BYTES("\x16\x03\x01\x00\x31\x01\x00\x00\x2d\x03\x03"
	    "0123456789abcdefghijklmnopqrstuv" "\x00" "\x00\x00" "\x00"
	    "\x00\x05" "\x00\x00\x00\x01\x00"),
	    "tls", "a TLS hello" }, /* broken */
	{ BYTES("\x16\x03\x01\x00\x39\x01\x00\x00\x35\x03\x03"
	    "0123456789abcdefghijklmnopqrstuv" "\x00" "\x00\x02\x13\x01"
	    "\x01\x00" "\x00\x0a" "\x00\x00\x00\x06\x00\x04\x00\x00\x01" "a"),
	    "tls", "a TLS hello for a" },
	{ BYTES("\x80\x2e\x01\x03\x01\x00"), "sslv2", "an SSLv2 hello" },
	{ BYTES("GET / HTTP/1.1\r\n"), "http", "an HTTP request" },
	{ BYTES("CONNECT db:5432 HTTP/1.1\r\n"), "http",
	    "a request to an HTTP proxy" },
	{ BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "http2",
	    "an HTTP/2 preface" },
	{ BYTES("PROXY TCP4 192.0.2.1"), "proxy", "a PROXY protocol header" },
	{ BYTES("\r\n\r\n\0\r\nQUIT\n\x21\x11"), "proxy",
	    "a PROXY protocol header" },
	{ BYTES("SSH-2.0-OpenSSH_9.2p1\r\n"), "ssh",
	    "an SSH client's greeting" },
	{ BYTES("\0\0\0\x08\x04\xd2\x16\x2f"), "postgres",
	    "a PostgreSQL request for TLS" },
	{ BYTES("\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\1\0\0\0\2"), "postgres",
	    "a PostgreSQL cancel request" },
	{ BYTES("\0\0\0\x29\0\3\0\0user\0"), "postgres",
	    "a PostgreSQL start-up message" },
	{ BYTES("*1\r\n$4\r\nPING\r\n"), "redis", "a Redis command" },
	{ BYTES("*12\r\n$4\r\nMSET\r\n"), "redis", "a Redis command" },
	{ BYTES("\x10\x25\0\4MQTT\4"), "mqtt", "an MQTT connect" },
	{ BYTES("AMQP\0\0\x09\x01"), "amqp", "an AMQP header" },
	{ BYTES("ehlo mail.example\r\n"), "smtp", "an SMTP client's greeting" },
	{ BYTES("\3\0\0\x2b\x26\xe0\0\0\0\0\0Cookie: "), "rdp",
	    "an RDP connect" },
	{ BYTES("\x13" "BitTorrent protocol"), "bittorrent",
	    "a BitTorrent handshake" },
	{ BYTES("\x43\0\0\0\1\0\0\0\0\0\0\0\xd4\7\0\0"), "mongodb",
	    "a MongoDB message" },
};
#define KNOWN_COUNT (sizeof(KNOWN) / sizeof(KNOWN[0]))

static void
knows_them(void **state)
{
	char text[SNIFF_TEXT];

	(void)state;
	for (size_t i = 0; i < KNOWN_COUNT; i++) {
		const uint8_t *data = (const uint8_t *)KNOWN[i].bytes;

		assert_string_equal(sniff_bytes(data, KNOWN[i].len)->protocol,
		    KNOWN[i].protocol);
		assert_string_equal(sniff_text(data, KNOWN[i].len, text),
		    KNOWN[i].text);
	}
}

/* Fewer bytes are unknown or the same, and no more than SNIFF_MOST matter. */
static void
never_changes_its_mind(void **state)
{
	(void)state;
	for (size_t i = 0; i < KNOWN_COUNT; i++) {
		const uint8_t *data = (const uint8_t *)KNOWN[i].bytes;
		const struct sniff *all = sniff_bytes(data, KNOWN[i].len);

		for (size_t len = 0; len < KNOWN[i].len; len++) {
			const struct sniff *some = sniff_bytes(data, len);

			assert_true(some == all || (some->protocol[0] == '\0' &&
			    len < SNIFF_MOST));
		}
	}
}

/* A start-up message whose next eight bytes are as in MongoDB's header. */
static void
the_first_to_fit_stays(void **state)
{
	static const uint8_t both[] = { 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0,
		0xdd, 7, 0, 0 };

	(void)state;
	assert_string_equal(sniff_bytes(both, 8)->protocol, "postgres");
	assert_string_equal(sniff_bytes(both, sizeof(both))->protocol,
	    "postgres");
}

static void
says_what_it_does_not_know(void **state)
{
	static const struct {
		const char *bytes;
		size_t	    len;
		const char *text;
	} rows[] = {
		{ BYTES(""), "nothing" },
		{ BYTES("A"), "'A'" },
		{ BYTES("hello, \"world\"\r\nand more"),
		    "'hello, \\\"world\\\"'" },
		{ BYTES("0123456789012345678901234567890123456789012345678"),
		    "'01234567890123456789012345678901234567890123...'" },
		{ BYTES("\0"), "the byte 00" },
		{ BYTES("\r\n"), "the bytes 0d 0a" },
		{ BYTES("text\0"), "the bytes 74 65 78 74 00" },
		{ BYTES("a\x7f"), "the bytes 61 7f" },
		{ BYTES("\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\xff"),
		    "the bytes 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 "
		    "ff" },
		{ BYTES("\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\xff\1"),
		    "the bytes 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 "
		    "ff ..." },
	};
	char text[SNIFF_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const uint8_t *data = (const uint8_t *)rows[i].bytes;

		assert_string_equal(sniff_bytes(data, rows[i].len)->protocol,
		    "");
		assert_string_equal(sniff_text(data, rows[i].len, text),
		    rows[i].text);
	}
}

/* A hello for the name, of which the last 'cut' bytes are still under way. */
static const char *
said_of_hello(const char *name, size_t cut, char *text)
{
	static const uint8_t begin[4 + 2 + 32 + 1 + 4 + 2] = { 1,
		[4] = 3, 3, [39] = 0, 2, 0x13, 1, 1 };
	size_t len = strlen(name), rest = len + 9 + 100, total = 5 +
	    sizeof(begin) + 2 + rest;
	uint8_t *data = calloc(1, total), *at = data + 5;
	const char *said;

	assert_non_null(data);
	memcpy(data, (uint8_t[]){ 22, 3, 1, (uint8_t)((total - 5) >> 8),
	    (uint8_t)(total - 5) }, 5);
	memcpy(at, begin, sizeof(begin));
	memcpy(at + 2, (uint8_t[]){ (uint8_t)((total - 9) >> 8),
	    (uint8_t)(total - 9) }, 2);
	at += sizeof(begin);
	memcpy(at, (uint8_t[]){ (uint8_t)(rest >> 8), (uint8_t)rest, 0, 0, 0,
	    (uint8_t)(len + 5), 0, (uint8_t)(len + 3), 0, 0, (uint8_t)len },
	    11);
	memcpy(at + 11, name, len);
	memcpy(at + 11 + len, (uint8_t[]){ 0, 21, 0, 96 }, 4);
	said = sniff_text(data, total - cut, text);
	free(data);
	return said;
}

static void
names_whom_a_hello_asks_for(void **state)
{
	static const char longest[] = "a23456789.b23456789.c23456789."
	    "d23456789.e23456789.f23456789.g234";
	char text[SNIFF_TEXT], name[80], wanted[SNIFF_TEXT];

	(void)state;
	assert_string_equal(said_of_hello("db.example", 0, text),
	    "a TLS hello for db.example");
	assert_string_equal(said_of_hello("db.example", 90, text),
	    "a TLS hello for db.example");
	assert_string_equal(said_of_hello("db.example", 102, text),
	    "a TLS hello");
	snprintf(wanted, sizeof(wanted), "a TLS hello for %s", longest);
	assert_string_equal(said_of_hello(longest, 0, text), wanted);
	snprintf(name, sizeof(name), "%sx", longest);
	strcat(wanted, "...");
	assert_string_equal(said_of_hello(name, 0, text), wanted);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_them),
		cmocka_unit_test(never_changes_its_mind),
		cmocka_unit_test(the_first_to_fit_stays),
		cmocka_unit_test(says_what_it_does_not_know),
		cmocka_unit_test(names_whom_a_hello_asks_for),
	};

	return cmocka_run_group_tests_name("sniff", tests, NULL, NULL);
}
