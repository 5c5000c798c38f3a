#include "proto/client_hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROOM (80 * 1024)

/* Bytes that grow. */
struct bytes {
	uint8_t data[ROOM];
	size_t	len;
};

static struct bytes message, wire;

static void
put(struct bytes *b, const void *data, size_t len)
{
	assert_true(b->len + len <= ROOM);
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

static void
put_number(struct bytes *b, size_t value, unsigned bytes)
{
	while (bytes-- > 0)
		put(b, &(uint8_t){ (uint8_t)(value >> 8 * bytes) }, 1);
}

static void
put_fill(struct bytes *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		put_number(b, i & 0xff, 1);
}

static void
put_name_of(size_t len, const char *name)
{
	put_number(&message, 0, 2);
	put_number(&message, len + 5, 2);
	put_number(&message, len + 3, 2);
	put_number(&message, 0, 1);
	put_number(&message, len, 2);
	put(&message, name, len);
}

static void
put_name(const char *name)
{
	put_name_of(strlen(name), name);
}

/* 'list' as it is on the wire. */
static void
put_alpn(const char *list)
{
	put_number(&message, 16, 2);
	put_number(&message, strlen(list) + 2, 2);
	put_number(&message, strlen(list), 2);
	put(&message, list, strlen(list));
}

/* An extension that nobody reads, with its header. */
static void
put_padding(size_t len)
{
	put_number(&message, 21, 2);
	put_number(&message, len - 4, 2);
	put_fill(&message, len - 4);
}

#define EXTENSIONS_AT (4 + 2 + 32 + 33 + 6 + 3)

static void
hello_begin(void)
{
	message.len = wire.len = 0;
	put_number(&message, 1, 1);
	put_number(&message, 0, 3);
	put_number(&message, 0x0303, 2);
	put_fill(&message, 32);
	put_number(&message, 32, 1);
	put_fill(&message, 32);
	put_number(&message, 4, 2);
	put_number(&message, 0x13011302, 4);
	put_number(&message, 2, 1);
	put_number(&message, 0x0707, 2);
	assert_int_equal(message.len, EXTENSIONS_AT);
	put_number(&message, 0, 2);
}

static void
set_number(size_t at, size_t value, unsigned bytes)
{
	size_t len = message.len;

	message.len = at;
	put_number(&message, value, bytes);
	message.len = len;
}

/* Puts the message into records of 'most' bytes. */
static void
hello_end(size_t most)
{
	size_t n;

	set_number(1, message.len - 4, 3);
	if (message.len >= EXTENSIONS_AT + 2)
		set_number(EXTENSIONS_AT, message.len - EXTENSIONS_AT - 2, 2);
	for (size_t at = 0; at < message.len; at += n) {
		n = message.len - at < most ? message.len - at : most;
		put_number(&wire, 22, 1);
		put_number(&wire, 0x0301, 2);
		put_number(&wire, n, 2);
		put(&wire, message.data + at, n);
	}
}

/* Memory of the exact size, so that a look behind it is seen. */
static enum parse
parse_of(struct client_hello *h, size_t len)
{
	uint8_t *data = malloc(len);
	enum parse answer;

	memcpy(data, wire.data, len);
	answer = client_hello_parse(h, data, len);
	free(data);
	return answer;
}

static struct client_hello
hello_of(enum parse wanted)
{
	struct client_hello h = { 0 };

	assert_int_equal(parse_of(&h, wire.len), wanted);
	return h;
}

static void
bad_is(const char *why)
{
	struct client_hello h = hello_of(PARSE_BAD);

	assert_string_equal(h.why, why);
	assert_int_equal(h.foreign, strcmp(why, "is not TLS") == 0);
	assert_false(h.named);
	assert_int_equal(h.alpn_len, 0);
}

static void
same(const struct client_hello *a, const struct client_hello *b)
{
	assert_ptr_equal(a->why, b->why);
	assert_int_equal(a->named, b->named);
	assert_string_equal(a->sni, b->sni);
	assert_int_equal(a->alpn_len, b->alpn_len);
	assert_memory_equal(a->alpn, b->alpn, a->alpn_len);
}

/* The same in two pieces, for each place to cut, and in pieces of one size. */
static void
cut_everywhere(enum parse wanted)
{
	struct client_hello whole = hello_of(wanted);

	for (size_t cut = 0; cut <= wire.len; cut++) {
		struct client_hello h = { 0 };

		if (parse_of(&h, cut) == PARSE_MORE)
			assert_int_equal(parse_of(&h, wire.len), wanted);
		same(&h, &whole);
	}
	for (size_t step = 1; step <= 7; step += 2) {
		struct client_hello h = { 0 };
		enum parse answer = PARSE_MORE;

		for (size_t n = 0; n < wire.len && answer == PARSE_MORE;) {
			n = n + step < wire.len ? n + step : wire.len;
			answer = parse_of(&h, n);
		}
		assert_int_equal(answer, wanted);
		same(&h, &whole);
	}
}

static void
says_what_it_asks_for(void **state)
{
	struct client_hello h;

	(void)state;
	hello_begin();
	put_name("DB.Example");
	put_alpn("\002h2\010http/1.1");
	hello_end(16384);
	h = hello_of(PARSE_OK);
	assert_true(h.named);
	assert_string_equal(h.sni, "db.example");
	assert_true(client_hello_offers(&h, "h2"));
	assert_true(client_hello_offers(&h, "http/1.1"));
	assert_false(client_hello_offers(&h, "http/1"));
	assert_false(client_hello_offers(&h, ""));
	assert_false(client_hello_offers(&h, "2\010"));
}

static void
every_letter_is_folded_and_no_other_byte(void **state)
{
	struct client_hello h;

	(void)state;
	hello_begin();
	put_name("ABCDEFGHIJKLMNOPQRSTUVWXYZ_-0189az");
	hello_end(16384);
	h = hello_of(PARSE_OK);
	assert_string_equal(h.sni, "abcdefghijklmnopqrstuvwxyz_-0189az");
}

static void
asks_for_nothing(void **state)
{
	struct client_hello h;

	(void)state;
	hello_begin();
	put_padding(40);
	hello_end(16384);
	h = hello_of(PARSE_OK);
	assert_false(h.named);
	assert_string_equal(h.sni, "");
	assert_false(client_hello_offers(&h, "h2"));

	/* as before there were extensions */
	hello_begin();
	message.len -= 2;
	hello_end(16384);
	assert_false(hello_of(PARSE_OK).named);
}

/* Whatever is behind it in the record, or on the connection. */
static void
what_follows_is_not_looked_at(void **state)
{
	struct client_hello h;

	(void)state;
	hello_begin();
	put_name("db.example");
	hello_end(16384);
	put_fill(&wire, 100);
	h = hello_of(PARSE_OK);
	assert_string_equal(h.sni, "db.example");
}

static void
any_records_and_any_pieces(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 4, 5, 100, 16384 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		hello_begin();
		put_padding(300);
		put_name("db.example");
		put_alpn("\002h2");
		hello_end(sizes[i]);
		cut_everywhere(PARSE_OK);
		assert_string_equal(hello_of(PARSE_OK).sni, "db.example");
	}
}

static void
broken_ones_in_any_pieces(void **state)
{
	(void)state;
	hello_begin();
	put_name("db.example");
	put_name("other.example");
	hello_end(50);
	cut_everywhere(PARSE_BAD);

	hello_begin();
	put_name("db.example");
	hello_end(50);
	wire.data[50 + 5 + 3] = wire.data[50 + 5 + 4] = 0;
	cut_everywhere(PARSE_BAD);

	wire.len = 0;
	put(&wire, "GET / HTTP/1.0\r\n\r\n", 18);
	cut_everywhere(PARSE_BAD);
}

static void
long_ones(void **state)
{
	static const struct {
		size_t padding, record;
		enum parse answer;
	} rows[] = {
		{ 1700, 16384, PARSE_OK }, /* with a post-quantum key share */
		{ 7000, 16384, PARSE_OK },
		{ 16000, 8192, PARSE_OK },
		{ 30000, 16384, PARSE_OK },
		{ 32000, 16384, PARSE_OK },
		{ 33000, 16384, PARSE_BAD },
		{ 65000, 16384, PARSE_BAD },
		{ 5000, 1, PARSE_OK },
		{ 6000, 1, PARSE_BAD }, /* 5 bytes before each byte of it */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client_hello h;

		hello_begin();
		put_padding(rows[i].padding);
		put_name("db.example");
		hello_end(rows[i].record);
		h = hello_of(rows[i].answer);
		if (rows[i].answer == PARSE_BAD)
			assert_string_equal(h.why, "is over 32 KiB");
		else
			assert_string_equal(h.sni, "db.example");
	}
}

/* Of the last byte that may be part of one it is known at once. */
static void
the_bound_is_exact(void **state)
{
	(void)state;
	for (int over = 0; over <= 1; over++) {
		struct client_hello h = { 0 };

		hello_begin();
		put_name("db.example");
		put_padding(CLIENT_HELLO_MOST - 2 * 5 - message.len +
		    (size_t)over);
		hello_end(16384);
		assert_int_equal(message.len, CLIENT_HELLO_MOST - 10 + over);
		assert_int_equal(parse_of(&h, CLIENT_HELLO_MOST - 1),
		    PARSE_MORE);
		assert_int_equal(parse_of(&h, CLIENT_HELLO_MOST),
		    over ? PARSE_BAD : PARSE_OK);
	}
}

static void
what_is_no_hello(void **state)
{
	static const struct {
		const char *bytes;
		size_t	    len; /* of which only the last tells */
		const char *why;
	} rows[] = {
		{ "G", 1, "is not TLS" },
		{ "\200", 1, "is not TLS" }, /* SSLv2 */
		{ "\025", 1, "is not TLS" }, /* an alert */
		{ "\026\002", 2, "is not TLS" },
		{ "\026\003\001\000\000", 5, "has an empty record" },
		{ "\026\003\001\377\377", 5, "has a record over 16 KiB" },
		{ "\026\003\001\100\001", 5, "has a record over 16 KiB" },
		{ "\026\003\001\100\000\002", 6, "is in truth another message" },
		{ "\026\003\001\000\004\001\001\000\000", 9,
		    "is over 32 KiB" },
		{ "\026\003\001\000\001\001\024", 7,
		    "breaks off for another record" },
		{ "\026\003\001\000\001\001\026\002", 8,
		    "breaks off for another record" },
		{ "\026\003\001\000\004\001\000\000\000", 9, "is broken" },
		{ "\026\003\001\000\005\001\000\000\001\003", 10,
		    "is broken" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client_hello h = { 0 };

		wire.len = 0;
		put(&wire, rows[i].bytes, rows[i].len);
		assert_int_equal(parse_of(&h, rows[i].len - 1), PARSE_MORE);
		bad_is(rows[i].why);
		put_fill(&wire, 100);
		bad_is(rows[i].why);
	}
}

/* Every length one too long and one too short. */
static void
lengths_that_lie(void **state)
{
	static const size_t lengths[][2] = {
		{ 1, 3 },		      /* of the message */
		{ 4 + 34, 1 },		      /* session id */
		{ 4 + 34 + 33, 2 },	      /* cipher suites */
		{ 4 + 34 + 33 + 6, 1 },	      /* compression */
		{ EXTENSIONS_AT, 2 },	      /* extensions */
		{ EXTENSIONS_AT + 4, 2 },     /* the name's extension */
		{ EXTENSIONS_AT + 6, 2 },     /* its list */
		{ EXTENSIONS_AT + 9, 2 },     /* the name */
		{ EXTENSIONS_AT + 14, 2 },    /* the extension behind it */
		{ EXTENSIONS_AT + 16, 2 },    /* its list */
		{ EXTENSIONS_AT + 18, 1 },    /* its only entry */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		for (int by = -1; by <= 1; by += 2) {
			uint8_t *last;

			hello_begin();
			put_name("a");
			put_alpn("\002h2");
			hello_end(16384);
			last = wire.data + 5 + lengths[i][0] + lengths[i][1] -
			    1;
			*last = (uint8_t)(*last + by);
			if (i == 0 && by == 1)
				hello_of(PARSE_MORE);
			else
				bad_is("is broken");
		}
	}
}

static void
what_comes_twice_is_broken(void **state)
{
	(void)state;
	hello_begin();
	put_name("db.example");
	put_name("db.example");
	hello_end(16384);
	bad_is("is broken");

	hello_begin();
	put_alpn("\002h2");
	put_alpn("\002h2");
	hello_end(16384);
	bad_is("is broken");

	/* two names in the list, the second one of no known type */
	hello_begin();
	put_number(&message, 0, 2);
	put(&message, "\000\012\000\010\000\000\001a\001\000\001b", 12);
	hello_end(16384);
	bad_is("is broken");
}

/* RFC 6066 section 3: host_name is the type there is. */
static void
a_name_of_another_type_is_broken(void **state)
{
	(void)state;
	hello_begin();
	put_name("db.example");
	message.data[EXTENSIONS_AT + 2 + 6] = 1;
	hello_end(16384);
	bad_is("is broken");
}

/* RFC 7301 section 3.1: "Empty strings MUST NOT be included". */
static void
a_protocol_without_a_name_is_broken(void **state)
{
	(void)state;
	hello_begin();
	put_number(&message, 16, 2);
	put(&message, "\000\006\000\004\002h2\000", 8);
	hello_end(16384);
	bad_is("is broken");
}

static void
names_of_evil(void **state)
{
	static const struct {
		const char *name;
		size_t	    len;
		const char *sni;
	} rows[] = {
		{ "", 0, "" },
		{ "db.example\0.evil", 16, "db.example\\x00.evil" },
		{ "\0", 1, "\\x00" },
		{ "db.example\r\nX: y", 16, "db.example\\x0d\\nX: y" },
		{ "db.example.", 11, "db.example." },
		{ ".db.example", 11, ".db.example" },
		{ "db..example", 11, "db..example" },
		{ ".", 1, "." },
		{ "*.example", 9, "*.example" },
		{ "192.0.2.1", 9, "192.0.2.1" },
		{ "2001:db8::1", 11, "2001:db8::1" },
		{ "[::1]", 5, "[::1]" },
		{ "db.example:443", 14, "db.example:443" },
		{ "db example", 10, "db example" },
		{ "b\303\274cher.example", 15, "b\\xc3\\xbccher.example" },
		{ "\"\\", 2, "\\\"\\\\" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client_hello h;

		hello_begin();
		put_name_of(rows[i].len, rows[i].name);
		hello_end(16384);
		h = hello_of(PARSE_OK);
		assert_false(h.named);
		assert_string_equal(h.sni, rows[i].sni);
	}
}

static void
names_of_any_length(void **state)
{
	static char name[20000];

	(void)state;
	for (size_t len = 1; len < sizeof(name); len += len < 300 ? 1 : 997) {
		struct client_hello h;

		for (size_t i = 0; i < len; i++)
			name[i] = i % 50 == 49 ? '.' : 'a';
		name[len - 1] = 'a';
		hello_begin();
		put_name_of(len, name);
		hello_end(16384);
		h = hello_of(PARSE_OK);
		assert_int_equal(h.named, len <= 253);
		assert_int_equal(strlen(h.sni), len <= 253 ? len : 95);
		assert_int_equal(strcmp(h.sni + strlen(h.sni) - 3, "...") == 0,
		    len > 253);
	}
	memset(name, 'a', 64);
	assert_true(client_hello_is_name(name, 63));
	assert_false(client_hello_is_name(name, 64));
}

static void
names_that_are_fine(void **state)
{
	static const char *const names[] = { "a", "localhost", "db_1.internal",
		"xn--bcher-kva.example", "1.2.3.4a", "1a", "3com.com",
		"-a-.example" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_true(client_hello_is_name(names[i], strlen(names[i])));
}

static void
protocols_without_room_are_left_out(void **state)
{
	char list[600], *end = list;
	struct client_hello h;

	(void)state;
	end = stpcpy(end, "\002h2");
	*end++ = (char)254;
	memset(end, 'x', 254);
	end = stpcpy(end + 254, "\003foo");
	*end = '\0';
	hello_begin();
	put_alpn(list);
	hello_end(16384);
	h = hello_of(PARSE_OK);
	assert_true(client_hello_offers(&h, "h2"));
	assert_true(client_hello_offers(&h, "foo"));
	assert_int_equal(h.alpn_len, 7);

	hello_begin();
	put_alpn("\002h2\001");
	hello_end(16384);
	bad_is("is broken");
}

/* The longest of them takes it all. */
static void
protocols_have_room_to_the_last_byte(void **state)
{
	char list[CLIENT_HELLO_ALPN + 1] = "\377", name[CLIENT_HELLO_ALPN];
	struct client_hello h;

	(void)state;
	memset(list + 1, 'x', 255);
	list[256] = '\0';
	memcpy(name, list + 1, 256);
	hello_begin();
	put_alpn(list);
	hello_end(16384);
	h = hello_of(PARSE_OK);
	assert_int_equal(h.alpn_len, CLIENT_HELLO_ALPN);
	assert_true(client_hello_offers(&h, name));
}

static void
a_name_may_be_guessed(void **state)
{
	size_t most;

	(void)state;
	hello_begin();
	put_name("db.example");
	put_padding(500);
	hello_end(30);
	most = wire.len - 500;
	for (size_t len = 0; len < wire.len; len++) {
		struct client_hello h = { 0 };

		assert_int_equal(parse_of(&h, len), PARSE_MORE);
		client_hello_guess(&h, wire.data);
		assert_true(h.sni[0] == '\0' ||
		    strcmp(h.sni, "db.example") == 0);
		assert_true(h.sni[0] != '\0' || len < most);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_it_asks_for),
		cmocka_unit_test(every_letter_is_folded_and_no_other_byte),
		cmocka_unit_test(asks_for_nothing),
		cmocka_unit_test(what_follows_is_not_looked_at),
		cmocka_unit_test(any_records_and_any_pieces),
		cmocka_unit_test(broken_ones_in_any_pieces),
		cmocka_unit_test(long_ones),
		cmocka_unit_test(the_bound_is_exact),
		cmocka_unit_test(what_is_no_hello),
		cmocka_unit_test(lengths_that_lie),
		cmocka_unit_test(what_comes_twice_is_broken),
		cmocka_unit_test(a_name_of_another_type_is_broken),
		cmocka_unit_test(a_protocol_without_a_name_is_broken),
		cmocka_unit_test(names_of_evil),
		cmocka_unit_test(names_of_any_length),
		cmocka_unit_test(names_that_are_fine),
		cmocka_unit_test(protocols_without_room_are_left_out),
		cmocka_unit_test(protocols_have_room_to_the_last_byte),
		cmocka_unit_test(a_name_may_be_guessed),
	};

	return cmocka_run_group_tests_name("client_hello", tests, NULL, NULL);
}
