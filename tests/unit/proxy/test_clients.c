#include "proxy/clients.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BEGIN	   UINT64_C(1000000)
#define REMEMBERED 65536
#define THREADS	   4
#define ROUNDS	   20000
#define ADDRESSES  3

static const uint64_t SECRET[4] = { 0x8f3a1c5d77e2b901, 0x1b2c3d4e5f607182,
	0xc0ffee1234567890, 0x0123456789abcdef };

struct rig {
	struct clients	    *clients;
	struct listener_conf conf;
};

static int
rig_make(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	if (rig == NULL)
		return 1;
	rig->clients = clients_new(SECRET);
	rig->conf.client_ipv6_prefix = 128;
	*state = rig;
	return rig->clients == NULL;
}

static int
rig_remove(void **state)
{
	struct rig *rig = *state;

	clients_free(rig->clients);
	free(rig);
	return 0;
}

static struct peer
peer_of(const char *ip)
{
	struct addr addr;
	struct peer p = { .family = AF_UNIX };

	if (*ip == '\0')
		return p;
	assert_int_equal(addr_from_ip(&addr, ip, 5050), 0);
	peer_from_sockaddr(&p, &addr.sa);
	return p;
}

static struct peer
peer_number(uint32_t n)
{
	struct peer p = { .family = AF_INET, .port = (uint16_t)n };

	memcpy(p.ip, &n, sizeof(n));
	return p;
}

static enum clients_answer
take(struct rig *rig, const char *ip, uint64_t now)
{
	struct peer p = peer_of(ip);

	return clients_take(rig->clients, &rig->conf, &p, now);
}

static void
give(struct rig *rig, const char *ip, uint64_t now)
{
	struct peer p = peer_of(ip);

	clients_give(rig->clients, &rig->conf, &p, now);
}

static void
assert_count(struct rig *rig, size_t here, size_t remembered)
{
	struct clients_count count = clients_count(rig->clients);

	assert_int_equal(count.here, here);
	assert_int_equal(count.remembered, remembered);
}

static void
so_many_of_each(void **state)
{
	static const char *const ips[] = { "10.0.0.1", "10.0.0.2",
		"2001:db8::1", "2001:db8::2", "" };
	struct rig *rig = *state;

	rig->conf.max_sessions_per_client = 2;
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(take(rig, ips[i], BEGIN), CLIENTS_TAKEN);
		assert_int_equal(take(rig, ips[i], BEGIN), CLIENTS_TAKEN);
		assert_int_equal(take(rig, ips[i], BEGIN), CLIENTS_MANY);
	}
	assert_count(rig, 5, 0);
	give(rig, ips[0], BEGIN);
	assert_int_equal(take(rig, ips[0], BEGIN), CLIENTS_TAKEN);
	for (size_t i = 0; i < 5; i++) {
		give(rig, ips[i], BEGIN);
		give(rig, ips[i], BEGIN);
	}
	assert_count(rig, 0, 0);
}

/* Whose bytes are the same are not the same: the families are kept apart. */
static void
families_count_for_themselves(void **state)
{
	static const char *const ips[] = { "10.0.0.1", "a00:1::", "::",
		"0.0.0.0", "" };
	struct rig *rig = *state;

	rig->conf.max_sessions_per_client = 1;
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(take(rig, ips[i], BEGIN), CLIENTS_TAKEN);
	assert_count(rig, 5, 0);
	for (size_t i = 0; i < 5; i++)
		give(rig, ips[i], BEGIN);
	assert_count(rig, 0, 0);
}

/* Listeners count for themselves. */
static void
each_listener_has_its_own(void **state)
{
	struct rig *rig = *state;

	rig->conf.max_sessions_per_client = 1;
	for (rig->conf.index = 0; rig->conf.index < 3; rig->conf.index++) {
		assert_int_equal(take(rig, "10.0.0.1", BEGIN), CLIENTS_TAKEN);
		assert_int_equal(take(rig, "10.0.0.1", BEGIN), CLIENTS_MANY);
	}
	while (rig->conf.index-- > 0)
		give(rig, "10.0.0.1", BEGIN);
	rig->conf.index = 0;
}

static void
a_prefix_is_one_client(void **state)
{
	static const struct {
		uint64_t    bits;
		const char *one, *other;
		bool	    same;
	} rows[] = {
		{ 128, "2001:db8::1", "2001:db8::2", false },
		{ 127, "2001:db8::2", "2001:db8::3", true },
		{ 127, "2001:db8::1", "2001:db8::2", false },
		{ 64, "2001:db8::1", "2001:db8::ffff:0:0:1", true },
		{ 64, "2001:db8::1", "2001:db8:0:1::1", false },
		{ 60, "2001:db8:0:1::", "2001:db8:0:f::", true },
		{ 60, "2001:db8:0:1::", "2001:db8:0:10::", false },
		{ 1, "::1", "7fff::", true },
		{ 1, "::1", "8000::", false },
		{ 1, "10.0.0.1", "10.0.0.2", false },
		{ 64, "::ffff:10.0.0.1", "10.0.0.1", true },
	};
	struct rig *rig = *state;

	rig->conf.max_sessions_per_client = 1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rig->conf.client_ipv6_prefix = rows[i].bits;
		assert_int_equal(take(rig, rows[i].one, BEGIN), CLIENTS_TAKEN);
		assert_int_equal(take(rig, rows[i].other, BEGIN),
		    rows[i].same ? CLIENTS_MANY : CLIENTS_TAKEN);
		give(rig, rows[i].one, BEGIN);
		if (!rows[i].same)
			give(rig, rows[i].other, BEGIN);
	}
}

/* A client is known again when it comes back, until its bucket is full. */
static void
rates_are_remembered(void **state)
{
	struct rig *rig = *state;

	rig->conf.session_rate_per_client = (struct rate_limit){ 10, 1000 };
	for (int i = 0; i < 10; i++) {
		assert_int_equal(take(rig, "10.0.0.1", BEGIN), CLIENTS_TAKEN);
		give(rig, "10.0.0.1", BEGIN);
	}
	assert_count(rig, 0, 1);
	assert_int_equal(take(rig, "10.0.0.1", BEGIN), CLIENTS_FAST);
	assert_int_equal(take(rig, "10.0.0.2", BEGIN), CLIENTS_TAKEN);
	assert_int_equal(take(rig, "10.0.0.1", BEGIN + 99), CLIENTS_FAST);
	assert_count(rig, 1, 1);
	assert_int_equal(take(rig, "10.0.0.1", BEGIN + 100), CLIENTS_TAKEN);
	assert_count(rig, 2, 0);
	/* nothing to remember any more */
	give(rig, "10.0.0.2", BEGIN + 1100);
	give(rig, "10.0.0.1", BEGIN + 1100);
	assert_count(rig, 0, 0);
}

/* What max_sessions refuses costs no token. */
static void
both_limits(void **state)
{
	struct rig *rig = *state;

	rig->conf.max_sessions_per_client = 1;
	rig->conf.session_rate_per_client = (struct rate_limit){ 2, 1000 };
	assert_int_equal(take(rig, "10.0.0.1", BEGIN), CLIENTS_TAKEN);
	for (int i = 0; i < 5; i++)
		assert_int_equal(take(rig, "10.0.0.1", BEGIN), CLIENTS_MANY);
	give(rig, "10.0.0.1", BEGIN);
	assert_int_equal(take(rig, "10.0.0.1", BEGIN), CLIENTS_TAKEN);
	give(rig, "10.0.0.1", BEGIN);
	assert_int_equal(take(rig, "10.0.0.1", BEGIN), CLIENTS_FAST);
}

static void
come_and_go(struct rig *rig, uint32_t n, uint64_t now)
{
	struct peer p = peer_number(n);

	assert_int_equal(clients_take(rig->clients, &rig->conf, &p, now),
	    CLIENTS_TAKEN);
	clients_give(rig->clients, &rig->conf, &p, now);
}

/* Of a flood of addresses so many are remembered, those that came last, and who
 * has a session is never forgotten. */
static void
a_flood_is_bounded(void **state)
{
	struct rig *rig = *state;
	struct clients_count count;

	rig->conf.max_sessions_per_client = 1;
	rig->conf.session_rate_per_client = (struct rate_limit){ 1, 3600000 };
	assert_int_equal(take(rig, "2001:db8::1", BEGIN), CLIENTS_TAKEN);
	for (uint32_t n = 0; n < 500000; n++)
		come_and_go(rig, n, BEGIN);
	count = clients_count(rig->clients);
	assert_int_equal(count.here, 1);
	assert_int_equal(count.remembered, REMEMBERED);
	for (uint32_t n = 499999; n > 499000; n--) {
		struct peer p = peer_number(n);

		assert_int_equal(clients_take(rig->clients, &rig->conf, &p,
		    BEGIN), CLIENTS_FAST);
	}
	come_and_go(rig, 0, BEGIN);
	assert_int_equal(take(rig, "2001:db8::1", BEGIN), CLIENTS_MANY);
	give(rig, "2001:db8::1", BEGIN + 3600000);
}

/* Whose time is over is cleared away by who comes. */
static void
time_empties_the_table(void **state)
{
	struct rig *rig = *state;

	rig->conf.session_rate_per_client = (struct rate_limit){ 1, 1000 };
	for (uint32_t n = 0; n < 5000; n++)
		come_and_go(rig, n, BEGIN);
	assert_count(rig, 0, 5000);
	for (uint32_t n = 10000; n < 20000; n++)
		come_and_go(rig, n, BEGIN + 1000 + n);
	assert_in_range(clients_count(rig->clients).remembered, 0, 1200);
}

static void
only_where_there_is_a_limit(void **state)
{
	struct listener_conf conf = { .max_sessions = 5,
		.session_rate = { 1, 1000 } };

	(void)state;
	assert_false(clients_are_limited(&conf));
	conf.max_sessions_per_client = 1;
	assert_true(clients_are_limited(&conf));
	conf.max_sessions_per_client = 0;
	conf.session_rate_per_client.count = 1;
	assert_true(clients_are_limited(&conf));
}

/* --- all at once */

struct comer {
	pthread_t	  thread;
	struct rig	 *rig;
	_Atomic unsigned *held; /* sessions, by address */
	_Atomic unsigned *exceeded;
	unsigned	  most;
	unsigned	  taken;
};

/* Few places for many that hurry. */
static void *
comers_hurry(void *arg)
{
	struct comer *c = arg;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t n = i % ADDRESSES;
		struct peer p = peer_number(n);

		if (clients_take(c->rig->clients, &c->rig->conf, &p, BEGIN) !=
		    CLIENTS_TAKEN)
			continue;
		if (atomic_fetch_add(&c->held[n], 1) >= c->most)
			atomic_fetch_add(c->exceeded, 1);
		c->taken++;
		atomic_fetch_sub(&c->held[n], 1);
		clients_give(c->rig->clients, &c->rig->conf, &p, BEGIN);
	}
	return NULL;
}

static unsigned
comers_run(struct rig *rig, unsigned most)
{
	_Atomic unsigned held[ADDRESSES] = { 0 }, exceeded = 0;
	struct comer comers[THREADS];
	unsigned taken = 0;

	for (int i = 0; i < THREADS; i++) {
		comers[i] = (struct comer){ .rig = rig, .held = held, .most = most,
			.exceeded = &exceeded };
		assert_int_equal(pthread_create(&comers[i].thread, NULL,
		    comers_hurry, &comers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(comers[i].thread, NULL);
		taken += comers[i].taken;
	}
	assert_int_equal(exceeded, 0);
	return taken;
}

static void
never_one_more(void **state)
{
	struct rig *rig = *state;

	rig->conf.max_sessions_per_client = 2;
	assert_true(comers_run(rig, 2) > 0);
	assert_count(rig, 0, 0);
}

/* Each address gets its bucket, and not one more, whoever asks for it. */
static void
rates_are_exact(void **state)
{
	struct rig *rig = *state;

	rig->conf.session_rate_per_client = (struct rate_limit){ 1234, 1000 };
	rig->conf.max_sessions_per_client = THREADS;
	assert_int_equal(comers_run(rig, THREADS), ADDRESSES * 1234);
	assert_count(rig, 0, ADDRESSES);
}

#define ON_RIG(f) cmocka_unit_test_setup_teardown(f, rig_make, rig_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_RIG(so_many_of_each),
		ON_RIG(families_count_for_themselves),
		ON_RIG(each_listener_has_its_own),
		ON_RIG(a_prefix_is_one_client),
		ON_RIG(rates_are_remembered),
		ON_RIG(both_limits),
		ON_RIG(a_flood_is_bounded),
		ON_RIG(time_empties_the_table),
		cmocka_unit_test(only_where_there_is_a_limit),
		ON_RIG(never_one_more),
		ON_RIG(rates_are_exact),
	};

	return cmocka_run_group_tests_name("clients", tests, NULL, NULL);
}
