#include "proto/dns_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A message that is written octet by octet. */
struct packet {
	size_t	len;
	uint8_t data[65535];
};

#define ASKED 12 /* where the name of the question begins */

static void
put(struct packet *p, const void *data, size_t len)
{
	assert_true(p->len + len <= sizeof(p->data));
	memcpy(p->data + p->len, data, len);
	p->len += len;
}

#define PUT(p, text) put(p, text, sizeof(text) - 1)

static void
put16(struct packet *p, unsigned n)
{
	put(p, (uint8_t[]){ (uint8_t)(n >> 8), (uint8_t)n }, 2);
}

static void
put32(struct packet *p, uint32_t n)
{
	put16(p, n >> 16);
	put16(p, n & 0xffff);
}

/* "a.test" in labels. */
static void
put_name(struct packet *p, const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, ".");

		put(p, (uint8_t[]){ (uint8_t)len }, 1);
		put(p, text, len);
		text += len + (text[len] == '.');
	}
	PUT(p, "\0");
}

static void
put_pointer(struct packet *p, size_t place)
{
	put16(p, 0xc000 | (unsigned)place);
}

static void
answer_begin(struct packet *p, unsigned records)
{
	p->len = 0;
	PUT(p, "\x12\x34\x81\x80\0\1");
	put16(p, records);
	PUT(p, "\0\0\0\0");
	put_name(p, "_pg._tcp.Db.test");
	put16(p, 33);
	put16(p, 1);
}

/* Type to TTL; the length of the data is put by data_end(). */
static size_t
data_begin(struct packet *p, unsigned type, uint32_t ttl)
{
	put16(p, type);
	put16(p, 1);
	put32(p, ttl);
	put16(p, 0);
	return p->len;
}

static void
data_end(struct packet *p, size_t begin)
{
	size_t len = p->len - begin;

	p->data[begin - 2] = (uint8_t)(len >> 8);
	p->data[begin - 1] = (uint8_t)len;
}

/* Of the name that the packet already has at 'owner'. */
static void
put_srv(struct packet *p, size_t owner, uint32_t ttl, unsigned priority,
    unsigned weight, unsigned port, const char *target)
{
	size_t begin;

	put_pointer(p, owner);
	begin = data_begin(p, 33, ttl);
	put16(p, priority);
	put16(p, weight);
	put16(p, port);
	put_name(p, target);
	data_end(p, begin);
}

/* Returns the place of the name that it leads to. */
static size_t
put_cname(struct packet *p, size_t owner, uint32_t ttl, const char *to)
{
	size_t begin;

	put_pointer(p, owner);
	begin = data_begin(p, 5, ttl);
	put_name(p, to);
	data_end(p, begin);
	return begin;
}

#define ROOM 64
static struct dns_service found[ROOM];
static struct dns_answer answer;

static enum parse
parse(const struct packet *p)
{
	uint8_t *copy = malloc(p->len + 1);
	enum parse result;

	assert_non_null(copy);
	memcpy(copy, p->data, p->len);
	assert_true(dns_answer_room(copy, p->len) <= ROOM);
	result = dns_answer_parse(&answer, copy, p->len, found);
	free(copy);
	assert_true((result == PARSE_BAD) == (answer.why != NULL));
	return result;
}

static void
assert_bad(const struct packet *p, const char *why)
{
	assert_int_equal(parse(p), PARSE_BAD);
	assert_string_equal(answer.why, why);
}

static struct packet packet;

static void
services_are_read(void **state)
{
	(void)state;
	answer_begin(&packet, 2);
	put_srv(&packet, ASKED, 30, 1, 5, 5432, "One.db.TEST");
	put_srv(&packet, ASKED, 20, 2, 0, 5433, "2-two._db.test");
	assert_int_equal(parse(&packet), PARSE_OK);
	assert_int_equal(answer.count, 2);
	assert_int_equal(answer.ttl, 20);
	assert_int_equal(found[0].priority, 1);
	assert_int_equal(found[0].weight, 5);
	assert_int_equal(found[0].port, 5432);
	assert_string_equal(found[0].target, "one.db.test");
	assert_int_equal(found[1].priority, 2);
	assert_int_equal(found[1].weight, 0);
	assert_int_equal(found[1].port, 5433);
	assert_string_equal(found[1].target, "2-two._db.test");
}

static void
targets_may_be_compressed(void **state)
{
	size_t begin;

	(void)state;
	answer_begin(&packet, 1);
	put_pointer(&packet, ASKED);
	begin = data_begin(&packet, 33, 9);
	PUT(&packet, "\0\0\0\0\0\x50\3one");
	put_pointer(&packet, ASKED + 9); /* Db.test */
	data_end(&packet, begin);
	assert_int_equal(parse(&packet), PARSE_OK);
	assert_string_equal(found[0].target, "one.db.test");
}

static void
no_records_are_fine(void **state)
{
	(void)state;
	answer_begin(&packet, 0);
	assert_int_equal(parse(&packet), PARSE_OK);
	assert_int_equal(answer.count, 0);
	assert_int_equal(answer.ttl, 0);
}

static void
the_root_is_no_service(void **state)
{
	(void)state;
	answer_begin(&packet, 1);
	put_srv(&packet, ASKED, 30, 0, 0, 0, "");
	assert_int_equal(parse(&packet), PARSE_OK);
	assert_int_equal(answer.count, 1);
	assert_string_equal(found[0].target, "");
}

/* The least TTL of the chain counts, and no order is taken for granted. */
static void
cnames_are_followed(void **state)
{
	size_t second, third;

	(void)state;
	answer_begin(&packet, 4);
	second = put_cname(&packet, ASKED, 50, "_pg._tcp.two.test");
	third = put_cname(&packet, second, 7, "_pg._tcp.three.test");
	put_srv(&packet, third, 30, 0, 1, 1, "a.test");
	put_srv(&packet, second, 1, 0, 1, 2, "b.test"); /* not of the last */
	assert_int_equal(parse(&packet), PARSE_OK);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.ttl, 7);
	assert_string_equal(found[0].target, "a.test");
}

static void
cnames_may_come_late(void **state)
{
	size_t begin, place;

	(void)state;
	answer_begin(&packet, 2);
	place = packet.len;
	put_name(&packet, "_pg._tcp.two.test");
	begin = data_begin(&packet, 33, 30);
	PUT(&packet, "\0\0\0\1\0\x50");
	put_name(&packet, "a.test");
	data_end(&packet, begin);
	put_pointer(&packet, ASKED);
	begin = data_begin(&packet, 5, 60);
	put_pointer(&packet, place);
	data_end(&packet, begin);
	assert_int_equal(parse(&packet), PARSE_OK);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.ttl, 30);
}

static void
cnames_in_a_circle(void **state)
{
	size_t begin, second;

	(void)state;
	answer_begin(&packet, 2);
	second = put_cname(&packet, ASKED, 5, "two.test");
	put_pointer(&packet, second);
	begin = data_begin(&packet, 5, 5);
	put_pointer(&packet, ASKED);
	data_end(&packet, begin);
	assert_bad(&packet, "leads round in a circle");
}

static void
what_belongs_to_others_is_passed_over(void **state)
{
	size_t begin;

	(void)state;
	answer_begin(&packet, 4);
	put_pointer(&packet, ASKED + 9);
	begin = data_begin(&packet, 1, 1); /* A */
	PUT(&packet, "\x7f\0\0\1");
	data_end(&packet, begin);
	put_srv(&packet, ASKED + 9, 1, 0, 1, 1, "not.asked.for");
	put_pointer(&packet, ASKED);
	begin = data_begin(&packet, 46, 1); /* RRSIG */
	PUT(&packet, "whatever");
	data_end(&packet, begin);
	put_srv(&packet, ASKED, 30, 0, 1, 1, "a.test");
	assert_int_equal(parse(&packet), PARSE_OK);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.ttl, 30);
	assert_string_equal(found[0].target, "a.test");
}

/* As many as make sense, and one more. */
static void
cnames_have_an_end(void **state)
{
	for (unsigned chain = 16; chain <= 17; chain++) {
		size_t owner = ASKED;
		char name[16];

		(void)state;
		answer_begin(&packet, chain + 1);
		for (unsigned i = 0; i < chain; i++) {
			snprintf(name, sizeof(name), "n%u.test", i);
			owner = put_cname(&packet, owner, 60, name);
		}
		put_srv(&packet, owner, 60, 0, 1, 1, "a.test");
		if (chain == 17) {
			assert_bad(&packet, "leads round in a circle");
			break;
		}
		assert_int_equal(parse(&packet), PARSE_OK);
		assert_int_equal(answer.count, 1);
	}
}

/* One of another class says nothing of ours. */
static void
other_classes_are_passed_over(void **state)
{
	(void)state;
	answer_begin(&packet, 2);
	put_srv(&packet, ASKED, 1, 0, 1, 1, "b.test");
	packet.data[ASKED + 18 + 4 + 2 + 3] = 3; /* CHAOS */
	put_srv(&packet, ASKED, 30, 0, 1, 1, "a.test");
	assert_int_equal(parse(&packet), PARSE_OK);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.ttl, 30);
	assert_string_equal(found[0].target, "a.test");
}

/* The last thing in the message may be a record that holds nothing. */
static void
records_may_be_empty(void **state)
{
	(void)state;
	answer_begin(&packet, 2);
	put_srv(&packet, ASKED, 30, 0, 1, 1, "a.test");
	put_pointer(&packet, ASKED);
	data_end(&packet, data_begin(&packet, 10, 1)); /* NULL */
	assert_int_equal(parse(&packet), PARSE_OK);
	assert_int_equal(answer.count, 1);
}

/* RFC 2181 section 8. */
static void
a_ttl_over_31_bits_is_none(void **state)
{
	(void)state;
	answer_begin(&packet, 1);
	put_srv(&packet, ASKED, 0x7fffffff, 0, 1, 1, "a.test");
	assert_int_equal(parse(&packet), PARSE_OK);
	assert_int_equal(answer.ttl, 0x7fffffff);
	answer_begin(&packet, 2);
	put_srv(&packet, ASKED, 0x80000000, 0, 1, 1, "a.test");
	put_srv(&packet, ASKED, 10, 0, 1, 1, "b.test");
	assert_int_equal(parse(&packet), PARSE_OK);
	assert_int_equal(answer.ttl, 0);
}

static void
who_is_no_answer(void **state)
{
	(void)state;
	answer_begin(&packet, 0);
	packet.data[2] = 0x01;
	assert_bad(&packet, "is no answer");
	packet.data[2] = 0x91; /* another opcode */
	assert_bad(&packet, "is no answer");
	packet.data[2] = 0x83;
	assert_bad(&packet, "is cut short");
	packet.data[2] = 0x81;
	packet.data[5] = 2; /* questions */
	assert_bad(&packet, "is to another question");
	packet.data[5] = 0;
	assert_bad(&packet, "is to another question");
	packet.data[5] = 1;
	packet.data[packet.len - 3] = 1; /* for A */
	assert_bad(&packet, "is to another question");
	packet.data[packet.len - 3] = 33;
	packet.data[packet.len - 1] = 3; /* CHAOS */
	assert_bad(&packet, "is to another question");
	packet.data[packet.len - 1] = 1;
	assert_int_equal(parse(&packet), PARSE_OK);
}

/* Wherever it is cut off. */
static void
every_head_of_it_is_broken(void **state)
{
	struct packet part;

	(void)state;
	answer_begin(&packet, 2);
	put_cname(&packet, ASKED, 5, "two.test");
	put_srv(&packet, ASKED, 30, 1, 5, 5432, "one.db.test");
	assert_int_equal(parse(&packet), PARSE_OK);
	part = packet;
	for (part.len = 0; part.len < packet.len; part.len++)
		assert_int_equal(parse(&part), PARSE_BAD);
	packet.data[7] = 3; /* one more is promised */
	assert_bad(&packet, "is broken");
}

static void
lengths_have_to_fit(void **state)
{
	size_t begin;

	(void)state;
	for (int wrong = -1; wrong <= 1; wrong += 2) {
		answer_begin(&packet, 1);
		put_pointer(&packet, ASKED);
		begin = data_begin(&packet, 33, 9);
		PUT(&packet, "\0\0\0\0\0\x50\3one\0");
		data_end(&packet, begin);
		packet.data[begin - 1] = (uint8_t)(packet.data[begin - 1] +
		    wrong);
		PUT(&packet, "behind");
		assert_bad(&packet, "is broken");
	}
	answer_begin(&packet, 1);
	put_pointer(&packet, ASKED);
	begin = data_begin(&packet, 33, 9);
	PUT(&packet, "\0\0\0\0\0"); /* of six octets and a target */
	data_end(&packet, begin);
	PUT(&packet, "\0\0\0");
	assert_bad(&packet, "is broken");
}

static void
put_labels(struct packet *p, size_t count, size_t len)
{
	uint8_t label[65];

	memset(label, 'x', sizeof(label));
	label[0] = (uint8_t)len;
	while (count-- > 0)
		put(p, label, len + 1);
}

/* RFC 9267 section 2: to itself, forwards, to each other, too many, too
 * long. */
static void
pointers_go_back(void **state)
{
	size_t here;

	(void)state;
	answer_begin(&packet, 1);
	here = packet.len;
	put_pointer(&packet, here);
	data_end(&packet, data_begin(&packet, 33, 1));
	assert_bad(&packet, "is broken");

	answer_begin(&packet, 1);
	here = packet.len;
	PUT(&packet, "\1a");
	put_pointer(&packet, here); /* to the label before itself */
	data_end(&packet, data_begin(&packet, 16, 1));
	assert_bad(&packet, "is broken");

	answer_begin(&packet, 1);
	put_pointer(&packet, packet.len + 2);
	PUT(&packet, "\1a\0");
	data_end(&packet, data_begin(&packet, 16, 1));
	assert_bad(&packet, "is broken");

	answer_begin(&packet, 1);
	PUT(&packet, "\xc0"); /* half a pointer, at the end */
	assert_bad(&packet, "is broken");

	answer_begin(&packet, 1);
	PUT(&packet, "\x80\0"); /* a label of a kind that there is not */
	data_end(&packet, data_begin(&packet, 16, 1));
	assert_bad(&packet, "is broken");

	answer_begin(&packet, 1); /* the same, where so many octets follow */
	put_labels(&packet, 1, 64);
	PUT(&packet, "\0");
	data_end(&packet, data_begin(&packet, 16, 1));
	assert_bad(&packet, "is broken");
}

/* A record of another type holds a row of pointers, each to the one before. */
static void
many_pointers(void **state)
{
	for (unsigned jumps = 126; jumps <= 127; jumps++) {
		size_t begin, place;

		(void)state;
		answer_begin(&packet, 2);
		put_pointer(&packet, ASKED);
		begin = data_begin(&packet, 16, 1);
		place = packet.len;
		put_pointer(&packet, ASKED);
		for (unsigned i = 1; i < jumps; i++) {
			put_pointer(&packet, place);
			place += 2;
		}
		data_end(&packet, begin);
		put_srv(&packet, place, 1, 0, 0, 1, "a.test");
		assert_int_equal(parse(&packet), jumps == 126 ? PARSE_OK :
		    PARSE_BAD);
	}
}

static void
names_of_255_octets(void **state)
{
	for (size_t last = 61; last <= 62; last++) {
		size_t begin;

		(void)state;
		answer_begin(&packet, 1);
		put_pointer(&packet, ASKED);
		begin = data_begin(&packet, 33, 1);
		PUT(&packet, "\0\0\0\0\0\x50");
		put_labels(&packet, 3, 63);
		put_labels(&packet, 1, last);
		PUT(&packet, "\0");
		data_end(&packet, begin);
		if (last == 62) {
			assert_bad(&packet, "is broken");
			break;
		}
		assert_int_equal(parse(&packet), PARSE_OK);
		assert_int_equal(strlen(found[0].target), 253);
	}
}

/* RFC 9267 section 3: what looks like another name once it is text. */
static void
targets_are_host_names(void **state)
{
	static const char labels[][4] = { "a.b", "a\0b", "a b", "a\"b",
		"a\377b", "a/b", "a\nb", "a\\b" };

	(void)state;
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		size_t begin;

		answer_begin(&packet, 1);
		put_pointer(&packet, ASKED);
		begin = data_begin(&packet, 33, 1);
		PUT(&packet, "\0\0\0\0\0\x50\3");
		put(&packet, labels[i], 3);
		PUT(&packet, "\0");
		data_end(&packet, begin);
		assert_bad(&packet, "has a target that is no host name");
	}
}

/* In a label of the name that was asked for a dot is a byte like others. */
static void
owners_are_compared_by_label(void **state)
{
	size_t begin;

	(void)state;
	answer_begin(&packet, 1);
	PUT(&packet, "\x08_pg._tcp\2db\4test\0");
	begin = data_begin(&packet, 33, 1);
	PUT(&packet, "\0\0\0\0\0\x50\1a\0");
	data_end(&packet, begin);
	assert_int_equal(parse(&packet), PARSE_OK);
	assert_int_equal(answer.count, 0);
}

static void
a_thousand_services(void **state)
{
	struct dns_service *services;
	size_t room;

	(void)state;
	answer_begin(&packet, 1000);
	for (unsigned i = 0; i < 1000; i++)
		put_srv(&packet, ASKED, 60 + i, 0, i, 1 + i, "a.test");
	room = dns_answer_room(packet.data, packet.len);
	assert_int_equal(room, 1000);
	services = calloc(room, sizeof(*services));
	assert_non_null(services);
	assert_int_equal(dns_answer_parse(&answer, packet.data, packet.len,
	    services), PARSE_OK);
	assert_int_equal(answer.count, 1000);
	assert_int_equal(services[999].port, 1000);
	assert_int_equal(answer.ttl, 60);
	free(services);

	/* More is said than fits. */
	answer_begin(&packet, 65535);
	put_srv(&packet, ASKED, 1, 0, 0, 1, "");
	assert_true(dns_answer_room(packet.data, packet.len) < 4);
	assert_bad(&packet, "is broken");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services_are_read),
		cmocka_unit_test(targets_may_be_compressed),
		cmocka_unit_test(no_records_are_fine),
		cmocka_unit_test(the_root_is_no_service),
		cmocka_unit_test(cnames_are_followed),
		cmocka_unit_test(cnames_may_come_late),
		cmocka_unit_test(cnames_in_a_circle),
		cmocka_unit_test(what_belongs_to_others_is_passed_over),
		cmocka_unit_test(cnames_have_an_end),
		cmocka_unit_test(other_classes_are_passed_over),
		cmocka_unit_test(records_may_be_empty),
		cmocka_unit_test(a_ttl_over_31_bits_is_none),
		cmocka_unit_test(who_is_no_answer),
		cmocka_unit_test(every_head_of_it_is_broken),
		cmocka_unit_test(lengths_have_to_fit),
		cmocka_unit_test(pointers_go_back),
		cmocka_unit_test(many_pointers),
		cmocka_unit_test(names_of_255_octets),
		cmocka_unit_test(targets_are_host_names),
		cmocka_unit_test(owners_are_compared_by_label),
		cmocka_unit_test(a_thousand_services),
	};

	return cmocka_run_group_tests_name("dns_answer", tests, NULL, NULL);
}
