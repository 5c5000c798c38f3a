/* What a pick costs, in nanoseconds of one thread that does nothing else: by
 * the way to balance and the number of servers, which are all up and weigh the
 * same, or weigh 1 to 9, or of which each tenth is down.  Between two picks
 * another session comes to the server and an older one leaves its own.  And
 * what it takes main to make the table of hash.  The argument is how many
 * milliseconds each number may take, 200 without one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "proxy/balance.h"

#define MOST  1000
#define OLDER 4096 /* sessions at a time */

enum field { EQUAL, WEIGHTS, DOWN, SLOW };

static const char *const FIELDS[] = { "equal", "weights 1-9", "a tenth down",
	"slow_start" };
static const char *const NAMES[BALANCE_KINDS] = { "round_robin",
	"least_sessions", "random_two", "hash", "first" };

static uint64_t budget_us = 200000;

static struct server_conf lines[MOST];
static char names[MOST][8];

static struct endpoint_set *
servers(size_t count, enum field field)
{
	struct endpoint_set *set = endpoint_set_new(0, count);
	struct addr addr;

	for (size_t i = 0; i < count; i++) {
		struct endpoint *e = &set->endpoints[i];
		char ip[16];

		snprintf(ip, sizeof(ip), "10.0.%u.%u", (unsigned)i / 250,
		    (unsigned)i % 250);
		addr_from_ip(&addr, ip, 80);
		snprintf(names[i], sizeof(names[i]), "s%u", (unsigned)i);
		lines[i].name = names[i];
		e->server = server_state_new(&addr);
		e->line = (uint32_t)i;
		e->weight = field == WEIGHTS ? i % 9 + 1 : 1;
		if (field == DOWN && i % 10 == 1)
			e->server->out = SERVER_FAILING;
	}
	return set;
}

static double
measure(const struct endpoint_set *set)
{
	static struct server_state *older[OLDER];
	struct balance b;
	int64_t *current = calloc(set->count, sizeof(*current));
	uint64_t begin, spent = 0, n;

	balance_init(&b, set, current, 0);
	memset(older, 0, sizeof(older));
	begin = clock_us();
	for (n = 0; spent < budget_us; n++) {
		struct server_state **at = &older[n % OLDER];
		const struct balance_ask ask = { .now = 1000000,
			.random = hash_mix(n), .key = hash_mix(~n) };
		size_t i;

		balance_pick(&b, &ask, &i);
		if (*at != NULL)
			server_state_give(*at);
		*at = set->endpoints[i].server;
		server_state_take(*at, 0);
		if (n % 256 == 0)
			spent = clock_us() - begin;
	}
	for (size_t i = 0; i < OLDER; i++)
		if (older[i] != NULL)
			server_state_give(older[i]);
	free(current);
	return 1000.0 * (double)spent / (double)n;
}

static void
row(enum balance_kind kind, enum field field)
{
	static const size_t COUNTS[] = { 3, 100, 1000 };
	struct upstream_conf conf = { .servers = lines, .balance = kind,
		.slow_start = field == SLOW ? 30000 : 0 };

	printf("%-15s %-13s", NAMES[kind], FIELDS[field]);
	for (size_t i = 0; i < 3; i++) {
		struct endpoint_set *set = servers(COUNTS[i], field);

		if (balance_prepare(set, &conf) < 0)
			abort();
		printf(" %9.0f", measure(set));
		endpoint_set_unref(set);
	}
	printf("\n");
}

static void
row_table(void)
{
	struct upstream_conf conf = { .servers = lines,
		.balance = BALANCE_HASH };
	static const size_t COUNTS[] = { 3, 100, 1000 };

	printf("%-15s %-13s", "table of hash", "us");
	for (size_t i = 0; i < 3; i++) {
		struct endpoint_set *set = servers(COUNTS[i], WEIGHTS);
		uint64_t begin = clock_us();

		if (balance_prepare(set, &conf) < 0)
			abort();
		printf(" %9u", (unsigned)(clock_us() - begin));
		endpoint_set_unref(set);
	}
	printf("\n");
}

int
main(int argc, char **argv)
{
	if (argc > 1)
		budget_us = strtoul(argv[1], NULL, 10) * 1000;
	printf("%-15s %-13s %9s %9s %9s\n", "ns a pick", "of servers", "3",
	    "100", "1000");
	for (unsigned kind = 0; kind < BALANCE_KINDS; kind++) {
		row(kind, EQUAL);
		row(kind, WEIGHTS);
		row(kind, DOWN);
		if (kind <= BALANCE_RANDOM_TWO)
			row(kind, SLOW);
	}
	row_table();
	return 0;
}
