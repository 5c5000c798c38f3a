#include "base/prefix_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NONE PREFIX_MAP_NONE
#define MANY 10000

static struct peer
peer(const char *ip)
{
	struct addr addr;
	struct peer p = { .family = AF_UNIX };

	if (*ip == '\0')
		return p;
	assert_int_equal(addr_from_ip(&addr, ip, 5050), 0);
	peer_from_sockaddr(&p, &addr.sa);
	return p;
}

static struct prefix_entry
entry(const char *text, uint32_t value)
{
	struct prefix_entry e = { .value = value };

	if (strcmp(text, "all") != 0)
		assert_int_equal(prefix_parse(&e.prefix, text), 0);
	return e;
}

/* The words of a text are the ranges, their places the values. */
static struct prefix_map *
map_of(const char *words)
{
	struct prefix_entry entries[16];
	char text[256], *word, *rest;
	size_t count = 0;
	void *memory;

	snprintf(text, sizeof(text), "%s", words);
	for (word = strtok_r(text, " ", &rest); word != NULL;
	    word = strtok_r(NULL, " ", &rest)) {
		entries[count] = entry(word, (uint32_t)count);
		count++;
	}
	memory = malloc(prefix_map_size(entries, count));
	assert_non_null(memory);
	assert_ptr_equal(prefix_map_build(memory, entries, count), memory);
	return memory;
}

static void
finds_the_first(void **state)
{
	static const struct {
		const char *words, *ip;
		uint32_t    found;
	} rows[] = {
		{ "", "10.0.0.1", NONE },
		{ "", "::1", NONE },
		{ "", "", NONE },
		{ "10.0.0.0/8", "9.255.255.255", NONE },
		{ "10.0.0.0/8", "10.0.0.0", 0 },
		{ "10.0.0.0/8", "10.255.255.255", 0 },
		{ "10.0.0.0/8", "11.0.0.0", NONE },
		/* a part that comes later is overruled, one before is not */
		{ "10.0.0.0/8 10.1.0.0/16", "10.1.2.3", 0 },
		{ "10.1.0.0/16 10.0.0.0/8", "10.1.2.3", 0 },
		{ "10.1.0.0/16 10.0.0.0/8", "10.0.255.255", 1 },
		{ "10.1.0.0/16 10.0.0.0/8", "10.2.0.0", 1 },
		{ "10.1.2.3 10.1.0.0/16 10.1.2.0/24 10.0.0.0/8", "10.1.2.4",
		    1 },
		{ "10.1.2.3 10.1.0.0/16 10.1.2.0/24 10.0.0.0/8", "10.1.2.3",
		    0 },
		/* the same one again, in both orders */
		{ "10.0.0.0/8 10.0.0.0/8", "10.0.0.1", 0 },
		{ "10.0.0.0/9 10.0.0.0/8 10.0.0.0/9", "10.0.0.1", 0 },
		{ "10.0.0.0/9 10.0.0.0/8 10.0.0.0/9", "10.128.0.1", 1 },
		/* both ends of the space */
		{ "255.255.255.255 0.0.0.0", "255.255.255.255", 0 },
		{ "255.255.255.255 0.0.0.0", "255.255.255.254", NONE },
		{ "255.255.255.255 0.0.0.0", "0.0.0.0", 1 },
		{ "255.255.255.255 0.0.0.0", "0.0.0.1", NONE },
		{ "128.0.0.0/1 0.0.0.0/1", "127.255.255.255", 1 },
		{ "128.0.0.0/1 0.0.0.0/0", "1.1.1.1", 1 },
		{ "128.0.0.0/1 0.0.0.0/0", "200.1.1.1", 0 },
		{ "ffff::/16 ::/0", "ffff:ffff::", 0 },
		{ "ffff::/16 ::/0", "fffe:ffff::", 1 },
		/* families do not mix */
		{ "0.0.0.0/0", "::", NONE },
		{ "::/0", "0.0.0.0", NONE },
		{ "::ffff:10.0.0.0/104", "10.1.2.3", 0 },
		{ "0.0.0.0/0 ::/0", "", NONE },
		{ "unix", "", 0 },
		{ "unix", "10.0.0.1", NONE },
		{ "10.0.0.0/8 unix unix", "", 1 },
		/* everybody */
		{ "all", "", 0 },
		{ "all", "10.0.0.1", 0 },
		{ "all unix", "", 0 },
		{ "10.0.0.0/8 all 11.0.0.0/8", "10.0.0.1", 0 },
		{ "10.0.0.0/8 all 11.0.0.0/8", "11.0.0.1", 1 },
		{ "10.0.0.0/8 all 11.0.0.0/8", "2001:db8::", 1 },
		{ "2001:db8::/32 2001:db8:1::/48", "2001:db8:1::1", 0 },
		{ "2001:db8:1::/48 2001:db8::/32", "2001:db8:2::1", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct prefix_map *map = map_of(rows[i].words);
		struct peer p = peer(rows[i].ip);
		uint32_t found = prefix_map_find(map, &p);

		if (found != rows[i].found)
			fail_msg("'%s' in '%s': %u", rows[i].ip, rows[i].words,
			    found);
		free(map);
	}
}

/* xorshift64 (Marsaglia, 2003): every run tries the same. */
static uint64_t
random_next(void)
{
	static uint64_t seed = 88172645463325252ULL;

	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Addresses near each other, so that ranges meet. */
static void
random_ip(struct peer *p)
{
	*p = (struct peer){ .family = AF_UNIX };
	if (random_next() % 64 == 0)
		return;
	p->family = random_next() % 2 == 0 ? AF_INET : AF_INET6;
	for (unsigned i = 0; i < (p->family == AF_INET ? 4u : 16u); i++)
		p->ip[i] = random_next() % 4 == 0 ? 0xff * (random_next() % 2) :
		    (uint8_t)(random_next() & 0x83);
}

static struct prefix_entry
random_entry(uint32_t values)
{
	struct prefix_entry e = { .value = (uint32_t)(random_next() % values) };
	unsigned all;
	struct peer p;

	random_ip(&p);
	if (random_next() % 256 == 0)
		return e;
	e.prefix.family = p.family;
	all = p.family == AF_INET ? 32 : p.family == AF_INET6 ? 128 : 0;
	e.prefix.bits = (uint8_t)(random_next() % (all + 1));
	for (unsigned i = 0; i < e.prefix.bits; i++)
		e.prefix.ip[i / 8] |= p.ip[i / 8] & (0x80 >> i % 8);
	return e;
}

static uint32_t
scan(const struct prefix_entry *entries, size_t count, const struct peer *p)
{
	uint32_t found = NONE;

	for (size_t i = 0; i < count; i++)
		if (prefix_has(&entries[i].prefix, p) &&
		    entries[i].value < found)
			found = entries[i].value;
	return found;
}

/* Who is just inside or outside of a range, and anybody. */
static struct peer
random_peer(const struct prefix_entry *entries, size_t count)
{
	const struct prefix *near = &entries[random_next() % count].prefix;
	int step = (int)(random_next() % 3) - 1, last;
	bool end = random_next() % 2 == 0;
	struct peer p = { .family = near->family };

	if (random_next() % 4 == 0 || near->family == AF_UNSPEC) {
		random_ip(&p);
		return p;
	}
	memcpy(p.ip, near->ip, sizeof(p.ip));
	last = near->family == AF_INET ? 3 : near->family == AF_INET6 ? 15 : -1;
	for (int i = near->bits; end && i < 8 * (last + 1); i++)
		p.ip[i / 8] |= 0x80 >> i % 8;
	for (; last >= 0 && step != 0; last--) {
		int sum = p.ip[last] + step;

		p.ip[last] = (uint8_t)sum;
		step = sum < 0 ? -1 : sum > 255 ? 1 : 0;
	}
	return p;
}

static void
compare_with_scan(size_t count, uint32_t values, int questions)
{
	struct prefix_entry entries[64];
	struct prefix_map *map;

	for (size_t i = 0; i < count; i++)
		entries[i] = random_entry(values);
	map = malloc(prefix_map_size(entries, count));
	assert_non_null(map);
	prefix_map_build(map, entries, count);
	for (int i = 0; i < questions; i++) {
		struct peer p = random_peer(entries, count);

		assert_int_equal(prefix_map_find(map, &p),
		    scan(entries, count, &p));
	}
	free(map);
}

/* As a look through all of them finds it. */
static void
finds_what_a_scan_does(void **state)
{
	(void)state;
	for (int i = 0; i < 2000; i++)
		compare_with_scan(1 + random_next() % 64,
		    1 + (uint32_t)(random_next() % 64), 100);
}

/* Every range inside the one before: the deepest there is. */
static void
ranges_inside_ranges(void **state)
{
	struct prefix_entry entries[2 * 129];
	struct prefix_map *map;
	struct peer p = peer("::");

	(void)state;
	for (unsigned i = 0; i < 2 * 129; i++) {
		entries[i] = (struct prefix_entry){ .value = 129 - i / 2 };
		entries[i].prefix.family = AF_INET6;
		entries[i].prefix.bits = (uint8_t)(i / 2);
	}
	map = malloc(prefix_map_size(entries, 2 * 129));
	assert_non_null(map);
	prefix_map_build(map, entries, 2 * 129);
	assert_int_equal(prefix_map_find(map, &p), 1);
	for (unsigned bits = 0; bits < 128; bits++) {
		memset(p.ip, 0, sizeof(p.ip));
		p.ip[bits / 8] = (uint8_t)(0x80 >> bits % 8);
		assert_int_equal(prefix_map_find(map, &p), 129 - bits);
	}
	free(map);
}

/* Well under 2 MB for 10,000 of the larger kind, and all are found. */
static void
many_are_small(void **state)
{
	struct prefix_entry *entries = calloc(MANY, sizeof(*entries));
	struct prefix_map *map;

	(void)state;
	assert_non_null(entries);
	for (uint32_t i = 0; i < MANY; i++) {
		struct prefix *p = &entries[i].prefix;

		entries[i].value = i;
		p->family = AF_INET6;
		p->bits = 32;
		p->ip[0] = 0x20;
		p->ip[1] = (uint8_t)(i >> 8);
		p->ip[2] = (uint8_t)i;
	}
	assert_true(prefix_map_size(entries, MANY) < 512 * 1024);
	map = malloc(prefix_map_size(entries, MANY));
	assert_non_null(map);
	prefix_map_build(map, entries, MANY);
	for (uint32_t i = 0; i < MANY; i++) {
		struct peer p = { .family = AF_INET6, .ip = { 0x20,
			(uint8_t)(i >> 8), (uint8_t)i, 0, 0xff } };

		assert_int_equal(prefix_map_find(map, &p), i);
		p.ip[3] = 1;
		assert_int_equal(prefix_map_find(map, &p), NONE);
	}
	free(map);
	free(entries);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_first),
		cmocka_unit_test(finds_what_a_scan_does),
		cmocka_unit_test(ranges_inside_ranges),
		cmocka_unit_test(many_are_small),
	};

	return cmocka_run_group_tests_name("prefix_map", tests, NULL, NULL);
}
