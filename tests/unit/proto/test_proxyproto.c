#include "proto/proxyproto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIG	 "\r\n\r\n\0\r\nQUIT\n"
#define V2(rest) SIG rest, sizeof(SIG rest) - 1
#define TEXT(s)	 s, sizeof(s) - 1

#define V4_ADDRS "\xc0\0\2\1" "\xc6\x33\x64\2" "\xdb\x88" "\1\xbb"
#define V6_IP(n) "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0" n

/* A header and what becomes of it; 'why' is part of the words for BAD. */
struct sample {
	const char *bytes;
	size_t	    size;
	const char *source, *destination; /* NULL: not told */
	const char *why;
};

static struct sample
ok(const char *bytes, size_t size, const char *source, const char *to)
{
	return (struct sample){ bytes, size, source, to, NULL };
}

/* --- reading */

/* What came of it: everything that a caller may look at. */
static void
copy_verdict(struct proxyproto *to, const struct proxyproto *p)
{
	memset(to, 0, sizeof(*to));
	to->local = p->local;
	to->source = p->source;
	to->destination = p->destination;
	to->paths = p->paths;
	to->tlvs = p->tlvs;
	to->tlvs_len = p->tlvs_len;
	to->len = p->len;
	to->foreign = p->foreign;
	strcpy(to->why, p->why);
}

/* As it comes: first so many bytes, then the rest in steps. */
static enum parse
read_in_pieces(struct proxyproto *verdict, const uint8_t *data, size_t size,
    size_t first, size_t step)
{
	struct proxyproto p = { 0 };
	enum parse result = PARSE_MORE;

	for (size_t len = first; result == PARSE_MORE; len += step) {
		result = proxyproto_read(&p, data, len < size ? len : size);
		if (len >= size)
			break;
	}
	copy_verdict(verdict, &p);
	return result;
}

/* The verdict, which has to be the same for every split into two, and byte by
 * byte.  'data' is the caller's for as long as he looks at the verdict. */
static enum parse
read_header(struct proxyproto *p, const uint8_t *data, size_t size)
{
	enum parse whole = read_in_pieces(p, data, size, size, 1);
	struct proxyproto other;

	for (size_t at = 0; at < size; at++) {
		assert_int_equal(read_in_pieces(&other, data, size, at, size),
		    whole);
		assert_memory_equal(&other, p, sizeof(other));
	}
	assert_int_equal(read_in_pieces(&other, data, size, 0, 1), whole);
	assert_memory_equal(&other, p, sizeof(other));
	return whole;
}

/* On a heap of its own size, so that a sanitizer sees who reads too far. */
static const uint8_t *
heap(const char *bytes, size_t size)
{
	static uint8_t *last;

	free(last);
	last = malloc(size);
	memcpy(last, bytes, size);
	return last;
}

static void
assert_peer(const struct peer *peer, const char *wanted)
{
	char text[ADDR_TEXT];

	if (wanted == NULL)
		assert_int_equal(peer->family, AF_UNSPEC);
	else
		assert_string_equal(peer_text(peer, text), wanted);
}

static void
assert_sample(const struct sample *x)
{
	const uint8_t *data = heap(x->bytes, x->size);
	struct proxyproto p;
	enum parse result = read_header(&p, data, x->size);

	if (x->why != NULL) {
		if (result != PARSE_BAD || strstr(p.why, x->why) == NULL)
			print_error("'%.*s': %s\n", (int)x->size, x->bytes,
			    p.why);
		assert_int_equal(result, PARSE_BAD);
		assert_non_null(strstr(p.why, x->why));
		return;
	}
	if (result != PARSE_OK)
		print_error("'%.*s': %s\n", (int)x->size, x->bytes, p.why);
	assert_int_equal(result, PARSE_OK);
	assert_int_equal(p.len, x->size);
	assert_peer(&p.source, x->source);
	assert_peer(&p.destination, x->destination);
}

static void
assert_samples(const struct sample *samples, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_sample(&samples[i]);
}
#define ASSERT_SAMPLES(x) assert_samples(x, sizeof(x) / sizeof(x[0]))

static void
good_lines(void **state)
{
	const struct sample samples[] = {
		ok(TEXT("PROXY TCP4 192.0.2.1 198.51.100.2 56200 443\r\n"),
		    "192.0.2.1:56200", "198.51.100.2:443"),
		ok(TEXT("PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n"),
		    "0.0.0.0:0", "255.255.255.255:65535"),
		ok(TEXT("PROXY TCP6 2001:db8::1 2001:DB8::2 1 2\r\n"),
		    "[2001:db8::1]:1", "[2001:db8::2]:2"),
		ok(TEXT("PROXY TCP6 ::1 1:2:3:4:5:6:7:8 1 2\r\n"), "[::1]:1",
		    "[1:2:3:4:5:6:7:8]:2"),
		ok(TEXT("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c000:202 1 2\r\n"),
		    "192.0.2.1:1", "192.0.2.2:2"),
		ok(TEXT("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
		    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
		    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"),
	};

	(void)state;
	ASSERT_SAMPLES(samples);
}

/* "The receiver must ignore anything presented before the CRLF is found." */
static void
unknown_lines(void **state)
{
	const struct sample samples[] = {
		ok(TEXT("PROXY UNKNOWN\r\n"), NULL, NULL),
		ok(TEXT("PROXY UNKNOWN ff\nff \r 1 \0 x\r\n"), NULL, NULL),
		ok(TEXT("PROXY UNKNOWN TCP4 1.2.3.4 5.6.7.8 1 2\r\n"), NULL,
		    NULL),
		ok(TEXT("PROXY UNKNOWN\r\r\n"), NULL, NULL),
		/* the longest there is */
		ok(TEXT("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
		    NULL, NULL),
	};

	(void)state;
	ASSERT_SAMPLES(samples);
	assert_int_equal(samples[4].size, PROXYPROTO_LINE);
}

#define BAD(s, words) { s, sizeof(s) - 1, NULL, NULL, words }
#define LINE(rest, words) BAD("PROXY " rest, words)

static void
bad_lines(void **state)
{
	static const struct sample samples[] = {
		LINE("TCP4 1.2.3.4 5.6.7.8 1 2\n", "LF alone"),
		LINE("TCP4 1.2.3.4 5.6.7.8 1 2\rx", "CR alone"),
		LINE("UNKNOW\n", "LF alone"),
		LINE("tcp4 1.2.3.4 5.6.7.8 1 2\r\n", "'tcp4' is not TCP4"),
		LINE("unknown a b 1 2\r\n", "'unknown' is not TCP4"),
		LINE("TCP5 1.2.3.4 5.6.7.8 1 2\r\n", "'TCP5' is not"),
		LINE("UDP4 1.2.3.4 5.6.7.8 1 2\r\n", "'UDP4' is not"),
		LINE("TCP44 1.2.3.4 5.6.7.8 1 2\r\n", "'TCP44' is not"),
		LINE("TCP4 1.2.3 5.6.7.8 1 2\r\n", "source address '1.2.3'"),
		LINE("TCP4 1.2.3.256 5.6.7.8 1 2\r\n", "source address"),
		LINE("TCP4 01.2.3.4 5.6.7.8 1 2\r\n", "source address '01."),
		LINE("TCP4 1.2.3.4 5.6.7.008 1 2\r\n", "destination address"),
		LINE("TCP4 0x1.2.3.4 5.6.7.8 1 2\r\n", "source address"),
		LINE("TCP4 16909060 5.6.7.8 1 2\r\n", "source address"),
		LINE("TCP4 -1.2.3.4 5.6.7.8 1 2\r\n", "source address"),
		LINE("TCP4 1.2.3.4 5.6.7.8. 1 2\r\n", "destination address"),
		LINE("TCP4 ::1 ::2 1 2\r\n", "'::1' is none of IPv4"),
		LINE("TCP4 1.2.3.4 ::1 1 2\r\n", "'::1' is none of IPv4"),
		LINE("TCP6 1.2.3.4 5.6.7.8 1 2\r\n", "is none of IPv6"),
		LINE("TCP6 ::1 5.6.7.8 1 2\r\n", "is none of IPv6"),
		LINE("TCP6 1::2::3 ::1 1 2\r\n", "source address"),
		LINE("TCP6 12345::1 ::1 1 2\r\n", "source address"),
		LINE("TCP6 1:2:3:4:5:6:7 ::1 1 2\r\n", "source address"),
		LINE("TCP6 1:2:3:4:5:6:7:8:9 ::1 1 2\r\n", "source address"),
		LINE("TCP6 fe80::1%1 ::1 1 2\r\n", "source address"),
		LINE("TCP6 [::1] ::1 1 2\r\n", "source address"),
		LINE("TCP6 g::1 ::1 1 2\r\n", "source address"),
		LINE("TCP4 1.2.3.4 5.6.7.8 65536 2\r\n", "source port '65536'"),
		LINE("TCP4 1.2.3.4 5.6.7.8 1 65536\r\n", "destination port"),
		LINE("TCP4 1.2.3.4 5.6.7.8 1 4294967297\r\n", "port"),
		LINE("TCP4 1.2.3.4 5.6.7.8 -1 2\r\n", "source port '-1'"),
		LINE("TCP4 1.2.3.4 5.6.7.8 +1 2\r\n", "source port '+1'"),
		LINE("TCP4 1.2.3.4 5.6.7.8 01 2\r\n", "source port '01'"),
		LINE("TCP4 1.2.3.4 5.6.7.8 00 2\r\n", "source port '00'"),
		LINE("TCP4 1.2.3.4 5.6.7.8 1 0x2\r\n", "destination port"),
		LINE("TCP4 1.2.3.4 5.6.7.8 1 2x\r\n", "destination port"),
		LINE("TCP4 1.2.3.4 5.6.7.8 1 \r\n", "a space too many"),
		LINE("TCP4 1.2.3.4 5.6.7.8 1 2 \r\n", "has more than"),
		LINE("TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n", "has more than"),
		LINE("TCP4 1.2.3.4 5.6.7.8 1\r\n", "has less than"),
		LINE("TCP4\r\n", "has less than"),
		LINE("\r\n", "a space too many"),
		LINE("TCP4  1.2.3.4 5.6.7.8 1 2\r\n", "a space too many"),
		LINE(" TCP4 1.2.3.4 5.6.7.8 1 2\r\n", "a space too many"),
		LINE("TCP4 1.2.3.4 5.6.7.8 1  2\r\n", "a space too many"),
		LINE("TCP4 1.2.3.4\t5.6.7.8 1 2\r\n", "has less"),
		LINE("TCP4 1.2.3.4\0 5.6.7.8 1 2\r\n", "a NUL"),
		LINE("TCP4 1.2.3.4 5.6.7.8 1 2\0\r\n", "a NUL"),
		LINE("\"\x80\r\n", "has less"),
		BAD("PROXY\tTCP4 1.2.3.4 5.6.7.8 1 2\r\n", "no PROXY header"),
		BAD("PROXYTCP4 1.2.3.4 5.6.7.8 1 2\r\n", "no PROXY header"),
		BAD("proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n", "no PROXY header"),
		BAD(" PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", "no PROXY header"),
		BAD("\nPROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", "no PROXY header"),
		BAD("GET / HTTP/1.1\r\n", "no PROXY header"),
		BAD("POST / HTTP/1.1\r\n", "no PROXY header"),
	};

	(void)state;
	ASSERT_SAMPLES(samples);
}

/* 107 bytes with the CRLF; one more is too long, also for UNKNOWN. */
static void
lines_of_every_length(void **state)
{
	char line[256];
	struct proxyproto p;

	(void)state;
	for (size_t size = 15; size < sizeof(line); size++) {
		memset(line, 'x', sizeof(line));
		memcpy(line, "PROXY UNKNOWN", 13);
		memcpy(line + size - 2, "\r\n", 2);
		assert_int_equal(read_header(&p, heap(line, size), size),
		    size <= PROXYPROTO_LINE ? PARSE_OK : PARSE_BAD);
		if (size > PROXYPROTO_LINE)
			assert_non_null(strstr(p.why, "no CRLF in its first"));
	}
}

static void
good_blocks(void **state)
{
	const struct sample samples[] = {
		ok(V2("\x21\x11\0\x0c" V4_ADDRS), "192.0.2.1:56200",
		    "198.51.100.2:443"),
		ok(V2("\x21\x12\0\x0c" V4_ADDRS), "192.0.2.1:56200",
		    "198.51.100.2:443"),
		ok(V2("\x21\x21\0\x24" V6_IP("\1") V6_IP("\2") "\0\1\0\2"),
		    "[2001:db8::1]:1", "[2001:db8::2]:2"),
		ok(V2("\x21\x21\0\x24" "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1"
		    V6_IP("\2") "\0\1\0\2"), "192.0.2.1:1", "[2001:db8::2]:2"),
		/* nothing is told, or is not to be used */
		ok(V2("\x21\0\0\0"), NULL, NULL),
		ok(V2("\x21\0\0\x0c" V4_ADDRS), NULL, NULL),
		ok(V2("\x21\1\0\0"), NULL, NULL),
		ok(V2("\x21\x10\0\x0c" V4_ADDRS), NULL, NULL),
		ok(V2("\x20\0\0\0"), NULL, NULL),
		ok(V2("\x20\x11\0\x0c" V4_ADDRS), NULL, NULL),
		ok(V2("\x20\x11\0\0"), NULL, NULL),
		ok(V2("\x20\xff\0\3xyz"), NULL, NULL),
		/* values: ALPN "h2" and a NOOP */
		ok(V2("\x21\x11\0\x14" V4_ADDRS "\1\0\2h2" "\4\0\0"),
		    "192.0.2.1:56200", "198.51.100.2:443"),
	};

	(void)state;
	ASSERT_SAMPLES(samples);
}

#define BLOCK(rest, words) BAD(SIG rest, words)

static void
bad_blocks(void **state)
{
	static const struct sample samples[] = {
		BAD("\r\n\r\n\0\r\nQUIT\rx", "no PROXY header"),
		BAD("\r\n\r\n\1", "no PROXY header"),
		BAD("\r\n\r\n\r\n", "no PROXY header"),
		BLOCK("\x11\x11\0\x0c" V4_ADDRS, "version 1"),
		BLOCK("\x31\x11\0\x0c" V4_ADDRS, "version 3"),
		BLOCK("\x01\x11\0\x0c" V4_ADDRS, "version 0"),
		BLOCK("\x22\x11\0\x0c" V4_ADDRS, "command 2"),
		BLOCK("\x2f\x11\0\x0c" V4_ADDRS, "command 15"),
		BLOCK("\x21\x41\0\x0c" V4_ADDRS, "0x41"),
		BLOCK("\x21\x13\0\x0c" V4_ADDRS, "0x13"),
		BLOCK("\x21\x1f\0\x0c" V4_ADDRS, "0x1f"),
		BLOCK("\x21\x11\0\0", "too short for its 12"),
		BLOCK("\x21\x11\0\x0b" V4_ADDRS, "announces 11 bytes"),
		BLOCK("\x21\x10\0\x0b" V4_ADDRS, "too short for its 12"),
		BLOCK("\x21\x21\0\x0c" V4_ADDRS, "too short for its 36"),
		BLOCK("\x21\x31\0\x0c" V4_ADDRS, "too short for its 216"),
		BLOCK("\x21\x11\xff\xff" V4_ADDRS, "announces 65535 bytes"),
		BLOCK("\x20\0\xff\xff", "announces 65535 bytes"),
		BLOCK("\x21\x11\x40\x01" V4_ADDRS, "announces 16385 bytes"),
		/* values that run over the end, or stop short of it */
		BLOCK("\x21\x11\0\x10" V4_ADDRS "\1\0\2h", "(TLV)"),
		BLOCK("\x21\x11\0\x0f" V4_ADDRS "\1\0\2h2", "(TLV)"),
		BLOCK("\x21\x11\0\x0d" V4_ADDRS "\1\0\2h2", "(TLV)"),
		BLOCK("\x21\x11\0\x0e" V4_ADDRS "\1\0\2h2", "(TLV)"),
		BLOCK("\x21\x11\0\x11" V4_ADDRS "\1\xff\xffh2", "(TLV)"),
		BLOCK("\x21\x11\0\x13" V4_ADDRS "\3\0\4\0\0\0\0", "checksum"),
		BLOCK("\x21\x11\0\x12" V4_ADDRS "\3\0\3\0\0\0", "checksum"),
		BLOCK("\x21\x11\0\x0f" V4_ADDRS "\3\0\0", "checksum"),
	};

	(void)state;
	ASSERT_SAMPLES(samples);
}

/* What is not whole is neither good nor bad. */
static void
every_beginning_wants_more(void **state)
{
	static const char line[] = "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n";
	static const char block[] = SIG "\x21\x11\0\x0c" V4_ADDRS;
	struct proxyproto p;

	(void)state;
	for (size_t size = 0; size < sizeof(line) - 1; size++)
		assert_int_equal(read_header(&p, heap(line, size), size),
		    PARSE_MORE);
	for (size_t size = 0; size < sizeof(block) - 1; size++) {
		assert_int_equal(read_header(&p, heap(block, size), size),
		    PARSE_MORE);
		assert_int_equal(p.len, size < PROXYPROTO_HEAD ? 0 :
		    sizeof(block) - 1);
	}
}

/* No byte more is waited for than it takes: who sends it may send no more. */
static void
what_is_bad_is_so_at_its_first_byte(void **state)
{
	static const struct {
		const char *bytes;
		size_t	    size; /* of which only the last tells */
	} rows[] = {
		{ TEXT("Q") },
		{ TEXT("PROXX") },
		{ TEXT("PROXY TCP4 1.2.3.4\n") },
		{ TEXT("PROXY TCP4 1.2.3.4\rx") },
		{ TEXT("PROXY TCP5\r\n") },
		{ TEXT("\r\n\r\n\0\r\nQUIT\r") },
		{ V2("\x11") },
		{ V2("\x22") },
		{ V2("\x21\x41") },
		{ V2("\x21\x13") },
		{ V2("\x21\x11\0\x0b") },
		{ V2("\x21\x11\x40\1") },
		{ V2("\x20\0\x40\1") },
	};
	struct proxyproto p;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t size = rows[i].size;

		assert_int_equal(read_header(&p, heap(rows[i].bytes, size - 1),
		    size - 1), PARSE_MORE);
		assert_int_equal(read_header(&p, heap(rows[i].bytes, size),
		    size), PARSE_BAD);
	}
}

/* What follows is payload, even where it looks like a header or a value. */
static void
payload_is_not_looked_at(void **state)
{
	static const char *const payloads[] = { "GET /", "PROXY TCP4 x\r\n",
		SIG "\x21\x11", "\1\0\2h2", "\r\n", "\n" };
	static const struct {
		const char *bytes;
		size_t	    size;
	} headers[] = {
		{ TEXT("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n") },
		{ TEXT("PROXY UNKNOWN\r\n") },
		{ V2("\x21\x11\0\x0c" V4_ADDRS) },
		{ V2("\x20\0\0\0") },
	};
	struct proxyproto p;
	char bytes[256];

	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		for (size_t j = 0; j < 6; j++) {
			size_t size = headers[i].size;

			memcpy(bytes, headers[i].bytes, size);
			strcpy(bytes + size, payloads[j]);
			assert_int_equal(read_header(&p, heap(bytes,
			    size + strlen(payloads[j])), size +
			    strlen(payloads[j])), PARSE_OK);
			assert_int_equal(p.len, size);
			assert_int_equal(p.tlvs_len, 0);
		}
	}
}

static void
what_is_no_header_is_told_from_a_broken_one(void **state)
{
	struct proxyproto p;

	(void)state;
	assert_int_equal(read_header(&p, heap(TEXT("SSH-2.0-")), 8), PARSE_BAD);
	assert_true(p.foreign);
	assert_int_equal(read_header(&p, heap(TEXT("PROXY TCP4\n")), 11),
	    PARSE_BAD);
	assert_false(p.foreign);
	assert_int_equal(read_header(&p, heap(V2("\x11")), 13), PARSE_BAD);
	assert_false(p.foreign);
}

static void
local_is_told(void **state)
{
	struct proxyproto p;

	(void)state;
	assert_int_equal(read_header(&p, heap(V2("\x20\0\0\0")), 16), PARSE_OK);
	assert_true(p.local);
	assert_int_equal(read_header(&p, heap(V2("\x21\0\0\0")), 16), PARSE_OK);
	assert_false(p.local);
}

static void
unix_paths_are_kept(void **state)
{
	char bytes[PROXYPROTO_HEAD + 2 * PROXYPROTO_PATH] =
	    SIG "\x21\x31\0\xd8" "/run/from";
	struct proxyproto p;

	(void)state;
	strcpy(bytes + PROXYPROTO_HEAD + PROXYPROTO_PATH, "/run/to");
	assert_int_equal(read_header(&p, heap(bytes, sizeof(bytes)),
	    sizeof(bytes)), PARSE_OK);
	assert_int_equal(p.source.family, AF_UNIX);
	assert_int_equal(p.destination.family, AF_UNIX);
	assert_memory_equal(p.paths, bytes + PROXYPROTO_HEAD,
	    2 * PROXYPROTO_PATH);
}

static void
values_are_found(void **state)
{
	struct proxyproto p;
	const uint8_t *value = NULL;
	size_t len = 0;

	(void)state;
	assert_int_equal(read_header(&p, heap(V2("\x21\x11\0\x1e" V4_ADDRS
	    "\2\0\3a.b" "\xe0\0\1x" "\1\0\2h2" "\2\0\0")), 46), PARSE_OK);
	assert_true(proxyproto_find(&p, PROXYPROTO_AUTHORITY, &value, &len));
	assert_int_equal(len, 3);
	assert_memory_equal(value, "a.b", 3);
	assert_true(proxyproto_find(&p, PROXYPROTO_ALPN, &value, &len));
	assert_int_equal(len, 2);
	assert_memory_equal(value, "h2", 2);
	assert_false(proxyproto_find(&p, PROXYPROTO_UNIQUE_ID, &value, &len));
}

/* Of AF_UNSPEC nothing says what the block is: values if it reads like them,
 * else addresses that are ignored. */
static void
values_without_addresses(void **state)
{
	struct proxyproto p;

	(void)state;
	assert_int_equal(read_header(&p, heap(V2("\x21\0\0\5\1\0\2h2")), 21),
	    PARSE_OK);
	assert_int_equal(p.tlvs_len, 5);
	assert_int_equal(read_header(&p, heap(V2("\x21\0\0\5\1\0\3h2")), 21),
	    PARSE_OK);
	assert_int_equal(p.tlvs_len, 0);
}

/* Not computed by what is tested; every other bit than those of the value's
 * type and length makes it wrong. */
static void
a_right_checksum(void **state)
{
	static const char good[] = SIG "\x21\x11\0\x13" V4_ADDRS
	    "\3\0\4" "\xd5\x25\x3c\xb0";
	char bytes[sizeof(good)];
	struct proxyproto p;

	(void)state;
	assert_int_equal(read_header(&p, heap(TEXT(good)), sizeof(good) - 1),
	    PARSE_OK);
	for (size_t at = PROXYPROTO_HEAD; at < sizeof(good) - 1; at++) {
		if (at >= 28 && at < 31)
			continue;
		memcpy(bytes, good, sizeof(good));
		bytes[at] ^= 0x10;
		assert_int_equal(read_header(&p, heap(bytes, sizeof(good) - 1),
		    sizeof(good) - 1), PARSE_BAD);
		assert_non_null(strstr(p.why, "checksum"));
	}
}

static void
unique_ids_have_a_limit(void **state)
{
	char bytes[16 + 12 + 3 + 129] = SIG "\x21\x11\0\x8f" V4_ADDRS
	    "\5\0\x80";
	struct proxyproto p;

	(void)state;
	assert_int_equal(read_header(&p, heap(bytes, sizeof(bytes) - 1),
	    sizeof(bytes) - 1), PARSE_OK);
	bytes[15] = (char)0x90;
	bytes[30] = (char)0x81;
	assert_int_equal(read_header(&p, heap(bytes, sizeof(bytes)),
	    sizeof(bytes)), PARSE_BAD);
	assert_non_null(strstr(p.why, "unique id of 129 bytes"));
}

/* As much as may be announced, which is read byte by byte in no time. */
static void
the_longest_block(void **state)
{
	size_t size = PROXYPROTO_HEAD + PROXYPROTO_ANNOUNCE;
	uint8_t *bytes = calloc(1, size);
	struct proxyproto p = { 0 };

	(void)state;
	memcpy(bytes, SIG "\x21\x11\x40\0" V4_ADDRS "\4\x3f\xf1", 31);
	for (size_t len = 0; len < size; len++)
		assert_int_equal(proxyproto_read(&p, bytes, len), PARSE_MORE);
	assert_int_equal(proxyproto_read(&p, bytes, size), PARSE_OK);
	assert_int_equal(p.len, size);
	free(bytes);
}

/* --- writing */

static struct proxyproto
between(const char *source, const char *destination)
{
	struct proxyproto p = { 0 };
	struct addr addr;

	assert_int_equal(addr_from_ip(&addr, source, 56200), 0);
	peer_from_sockaddr(&p.source, &addr.sa);
	assert_int_equal(addr_from_ip(&addr, destination, 443), 0);
	peer_from_sockaddr(&p.destination, &addr.sa);
	return p;
}

static void
assert_writes_line(const struct proxyproto *p, const char *wanted)
{
	char line[PROXYPROTO_LINE + 1];

	line[proxyproto_line(p, line)] = '\0';
	assert_string_equal(line, wanted);
}

static void
lines_are_written(void **state)
{
	struct proxyproto p = between("192.0.2.1", "198.51.100.2");

	(void)state;
	assert_writes_line(&p,
	    "PROXY TCP4 192.0.2.1 198.51.100.2 56200 443\r\n");
	p = between("2001:db8::1", "::1");
	assert_writes_line(&p, "PROXY TCP6 2001:db8::1 ::1 56200 443\r\n");
	p = between("192.0.2.1", "::1");
	assert_writes_line(&p, "PROXY TCP6 ::ffff:192.0.2.1 ::1 56200 443\r\n");
	p = between("::1", "192.0.2.1");
	assert_writes_line(&p, "PROXY TCP6 ::1 ::ffff:192.0.2.1 56200 443\r\n");
	p.source.family = p.destination.family = AF_UNIX;
	assert_writes_line(&p, "PROXY UNKNOWN\r\n");
	p.source.family = p.destination.family = AF_UNSPEC;
	assert_writes_line(&p, "PROXY UNKNOWN\r\n");
	p = between("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	p.source.port = p.destination.port = 65535;
	assert_writes_line(&p,
	    "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n");
}

static void
assert_writes_block(const struct proxyproto *p, const char *wanted, size_t size)
{
	struct proxyproto_writer w;
	uint8_t data[512];

	proxyproto_begin(&w, data, sizeof(data), p);
	assert_int_equal(proxyproto_end(&w), size);
	assert_memory_equal(data, wanted, size);
}

static void
blocks_are_written(void **state)
{
	struct proxyproto p = between("192.0.2.1", "198.51.100.2");

	(void)state;
	assert_writes_block(&p, V2("\x21\x11\0\x0c" V4_ADDRS));
	p = between("2001:db8::1", "192.0.2.1");
	assert_writes_block(&p, V2("\x21\x21\0\x24" V6_IP("\1")
	    "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1" "\xdb\x88" "\1\xbb"));
	p.local = true;
	assert_writes_block(&p, V2("\x20\0\0\0"));
	p.local = false;
	p.source.family = AF_UNIX;
	assert_writes_block(&p, V2("\x21\0\0\0"));
	p.source.family = p.destination.family = AF_UNSPEC;
	assert_writes_block(&p, V2("\x21\0\0\0"));
}

static void
unix_blocks_are_written(void **state)
{
	char wanted[PROXYPROTO_HEAD + 2 * PROXYPROTO_PATH] =
	    SIG "\x21\x31\0\xd8" "/run/from";
	struct proxyproto p = { 0 };

	(void)state;
	p.source.family = p.destination.family = AF_UNIX;
	p.paths = (const uint8_t *)wanted + PROXYPROTO_HEAD;
	assert_writes_block(&p, wanted, sizeof(wanted));
	p.paths = NULL;
	memset(wanted + PROXYPROTO_HEAD, 0, 9);
	assert_writes_block(&p, wanted, sizeof(wanted));
}

/* Values that were read are passed on, but for those of the header itself. */
static void
values_are_passed_on(void **state)
{
	struct proxyproto p = between("192.0.2.1", "198.51.100.2");

	(void)state;
	p.tlvs = (const uint8_t *)"\3\0\4xxxx" "\1\0\2h2" "\4\0\1x" "\xe0\0\0";
	p.tlvs_len = 19;
	assert_writes_block(&p, V2("\x21\x11\0\x14" V4_ADDRS "\1\0\2h2"
	    "\xe0\0\0"));
}

static void
values_are_added(void **state)
{
	struct proxyproto p = between("192.0.2.1", "198.51.100.2");
	struct proxyproto_writer w;
	uint8_t data[PROXYPROTO_HEAD + 12 + 3 + 3 + 4];

	(void)state;
	proxyproto_begin(&w, data, sizeof(data), &p);
	assert_true(proxyproto_add(&w, PROXYPROTO_AUTHORITY, "a.b", 3));
	assert_false(proxyproto_add(&w, PROXYPROTO_UNIQUE_ID, "ab", 2));
	assert_true(proxyproto_add(&w, PROXYPROTO_UNIQUE_ID, "a", 1));
	assert_int_equal(proxyproto_end(&w), sizeof(data));
	assert_memory_equal(data, SIG "\x21\x11\0\x16" V4_ADDRS "\2\0\3a.b"
	    "\5\0\1a", sizeof(data));
}

/* What is written is read again as it was. */
static void
there_and_back(void **state)
{
	static const char *const ips[] = { "192.0.2.1", "::1", "2001:db8::7" };
	struct proxyproto p, again;
	struct proxyproto_writer w;
	char line[PROXYPROTO_LINE];
	uint8_t data[512];
	size_t len;

	(void)state;
	for (size_t i = 0; i < 9; i++) {
		p = between(ips[i % 3], ips[i / 3]);
		len = proxyproto_line(&p, line);
		assert_int_equal(read_header(&again, (uint8_t *)line, len),
		    PARSE_OK);
		assert_memory_equal(&again.source, &p.source,
		    sizeof(p.source));
		assert_memory_equal(&again.destination, &p.destination,
		    sizeof(p.destination));
		proxyproto_begin(&w, data, sizeof(data), &p);
		proxyproto_add(&w, PROXYPROTO_UNIQUE_ID, "id", 2);
		len = proxyproto_end(&w);
		assert_int_equal(read_header(&again, data, len), PARSE_OK);
		assert_memory_equal(&again.source, &p.source,
		    sizeof(p.source));
		assert_memory_equal(&again.destination, &p.destination,
		    sizeof(p.destination));
		assert_int_equal(again.tlvs_len, 5);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_lines),
		cmocka_unit_test(unknown_lines),
		cmocka_unit_test(bad_lines),
		cmocka_unit_test(lines_of_every_length),
		cmocka_unit_test(good_blocks),
		cmocka_unit_test(bad_blocks),
		cmocka_unit_test(every_beginning_wants_more),
		cmocka_unit_test(what_is_bad_is_so_at_its_first_byte),
		cmocka_unit_test(payload_is_not_looked_at),
		cmocka_unit_test(what_is_no_header_is_told_from_a_broken_one),
		cmocka_unit_test(local_is_told),
		cmocka_unit_test(unix_paths_are_kept),
		cmocka_unit_test(values_are_found),
		cmocka_unit_test(values_without_addresses),
		cmocka_unit_test(a_right_checksum),
		cmocka_unit_test(unique_ids_have_a_limit),
		cmocka_unit_test(the_longest_block),
		cmocka_unit_test(lines_are_written),
		cmocka_unit_test(blocks_are_written),
		cmocka_unit_test(unix_blocks_are_written),
		cmocka_unit_test(values_are_passed_on),
		cmocka_unit_test(values_are_added),
		cmocka_unit_test(there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
