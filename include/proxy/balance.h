/* Which server is next.  Pure: the time, the chance and the key come with the
 * question.  Nobody locks, allocates or writes what another thread reads.
 *
 *	balance.c	  the question, primaries before backups, slow start
 *	balance_robin.c	  round_robin
 *	balance_least.c	  least_sessions
 *	balance_random.c  random_two
 *	balance_hash.c	  hash: the key; balance_maglev.c has its table
 *	balance_first.c	  first */
#ifndef SLUICE_PROXY_BALANCE_H
#define SLUICE_PROXY_BALANCE_H

#include "proxy/endpoint.h"

/* A bit set over the endpoints of a set. */
#define BALANCE_WORDS(count) (((count) + 63) / 64)

/* Makes a set, its endpoints filled in, ready to be chosen from as the upstream
 * says.  Once, by the main thread, before it is published; 0 or -ENOMEM. */
int balance_prepare(struct endpoint_set *, const struct upstream_conf *);

/* Where a worker stands in a set; its own. */
struct balance {
	const struct endpoint_set *set; /* the caller's reference */
	bool	 equal;	  /* there are primaries, of one weight */
	uint32_t turn;	  /* ROUND_ROBIN of equal ones: who is next */
	int64_t *current; /* the caller's, one for each endpoint: ROUND_ROBIN
			     and LEAST_SESSIONS: who is ahead by how much;
			     RANDOM_TWO: the weights up to there */
};

/* 'random' is where turns begin, so that workers do not march in step; one
 * with the same starts at the same place.  'current' is zeroed. */
void balance_init(struct balance *, const struct endpoint_set *,
    int64_t *current, uint64_t random);

/* Who asks. */
struct balance_ask {
	const uint64_t *tried; /* bits of endpoints that are left out;
				   NULL: none is */
	uint64_t	now;	/* clock_ms() */
	uint64_t	random; /* another each time */
	uint64_t	key;	/* HASH: who has the same comes to the same */
};

enum balance_answer {
	BALANCE_PICKED,
	BALANCE_FULL,	     /* all that are usable and not tried */
	BALANCE_ALL_TRIED,   /* all that are usable */
	BALANCE_NONE_USABLE, /* balance_why() tells more */
};

/* Chooses one that is usable, not tried and not full, a backup only where no
 * primary is usable and not tried, and sets 'picked' to its place in the
 * set. */
enum balance_answer balance_pick(struct balance *, const struct balance_ask *,
    size_t *picked);

/* Whether any server of the set is usable. */
bool balance_has_usable(const struct endpoint_set *);

/* Whether it would choose one, without doing it. */
bool balance_has_room(const struct balance *, const struct balance_ask *);

/* The key of a client, or of the name it asks for, which is in lower case. A
 * mapped address (RFC 4291 section 2.5.5.2) is that of IPv4; the port does not
 * count; clients of Unix sockets are all one. */
uint64_t balance_key_client(const struct peer *);
uint64_t balance_key_name(const char *);

/* Why none is usable, in words: "all 2 servers are down: ADDRESS fails its
 * check, ADDRESS drains".  Cut where it does not fit; returns 'text'. */
const char *balance_why(const struct endpoint_set *, char *text, size_t size);

#endif
