/* A set of servers and one worker's way through it, for the tests of balancing.
 * A test that includes this has included cmocka. */
#ifndef SLUICE_TESTS_BALANCING_H
#define SLUICE_TESTS_BALANCING_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "proxy/balance.h"

#define MOST	  1000
#define NOBODY	  SIZE_MAX
#define NOW	  UINT64_C(1000000)

/* Servers 10.0.0.1:80 and so on, of lines named s1 and so on. */
struct rig {
	struct endpoint_set *set;
	struct server_conf   lines[MOST];
	char		     names[MOST][16];
	struct upstream_conf conf;
	struct balance	     balance;
	int64_t		     current[MOST];
	uint64_t	     tried[BALANCE_WORDS(MOST)];
	uint64_t	     now, random, key;
	enum balance_answer  answer;
	unsigned	     picked[MOST]; /* how often */
};

static inline int
rig_make(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	*state = rig;
	if (rig == NULL)
		return 1;
	rig->now = NOW;
	rig->random = 1;
	rig->conf.servers = rig->lines;
	return 0;
}

static inline int
rig_remove(void **state)
{
	struct rig *rig = *state;

	endpoint_set_unref(rig->set);
	free(rig);
	return 0;
}

static inline struct endpoint *
rig_endpoint(struct rig *rig, size_t i)
{
	return &rig->set->endpoints[i];
}

static inline struct server_state *
rig_server(struct rig *rig, size_t i)
{
	return rig_endpoint(rig, i)->server;
}

/* Puts server 'who' in place 'i' of the set. */
static inline void
rig_place(struct rig *rig, size_t i, size_t who, uint64_t weight)
{
	char ip[24];
	struct addr addr;

	snprintf(ip, sizeof(ip), "10.0.%zu.%zu", who / 250, who % 250 + 1);
	assert_int_equal(addr_from_ip(&addr, ip, 80), 0);
	snprintf(rig->names[i], sizeof(rig->names[i]), "s%zu", who + 1);
	rig->lines[i].name = rig->names[i];
	rig_endpoint(rig, i)->server = server_state_new(&addr);
	rig_endpoint(rig, i)->line = (uint32_t)i;
	rig_endpoint(rig, i)->weight = (uint32_t)weight;
}

static inline void
rig_set(struct rig *rig, size_t count, const uint64_t *weights)
{
	assert_true(count <= MOST);
	endpoint_set_unref(rig->set);
	rig->set = endpoint_set_new(0, count);
	assert_non_null(rig->set);
	for (size_t i = 0; i < count; i++)
		rig_place(rig, i, i, weights == NULL ? 1 : weights[i]);
}

/* Once the set is as it shall be. */
static inline void
rig_begin(struct rig *rig, enum balance_kind kind)
{
	rig->conf.balance = kind;
	free(rig->set->maglev);
	rig->set->maglev = NULL;
	assert_int_equal(balance_prepare(rig->set, &rig->conf), 0);
	memset(rig->current, 0, sizeof(rig->current));
	memset(rig->picked, 0, sizeof(rig->picked));
	balance_init(&rig->balance, rig->set, rig->current, 0);
}

static inline size_t
pick(struct rig *rig)
{
	struct balance_ask ask = { rig->tried, rig->now, rig->random,
		rig->key };
	size_t i = NOBODY;

	rig->random = hash_mix(rig->random + 0x9e3779b97f4a7c15);
	rig->answer = balance_pick(&rig->balance, &ask, &i);
	if (rig->answer != BALANCE_PICKED)
		return NOBODY;
	assert_true(i < rig->set->count);
	rig->picked[i]++;
	return i;
}

static inline void
try(struct rig *rig, size_t i)
{
	rig->tried[i / 64] |= UINT64_C(1) << (i % 64);
}

static inline void
forget(struct rig *rig)
{
	memset(rig->tried, 0, sizeof(rig->tried));
}

static inline void
take_out(struct rig *rig, size_t i, unsigned why)
{
	rig_server(rig, i)->out = why;
}

/* The picks as letters. */
static inline const char *
picks(struct rig *rig, size_t n)
{
	static char text[64];

	assert_true(n < sizeof(text));
	for (size_t i = 0; i < n; i++)
		text[i] = (char)('a' + pick(rig));
	text[n] = '\0';
	return text;
}

#define ON_RIG(f) cmocka_unit_test_setup_teardown(f, rig_make, rig_remove)

#endif
