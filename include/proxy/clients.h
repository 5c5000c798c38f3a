/* Who is here, by listener and address: max_sessions_per_client and
 * session_rate_per_client, exact across workers.
 *
 * 64 shards with a lock each, on cache lines of their own; it is held for one
 * look into a hash, twice a session.  Who has a session has an entry, and who
 * had one has it until its bucket is full again; of the latter there are 65,536
 * at most, and then the one that left first is forgotten: an address flood
 * takes no more. */
#ifndef SLUICE_PROXY_CLIENTS_H
#define SLUICE_PROXY_CLIENTS_H

#include <stdbool.h>

#include "config/config.h"

struct clients;

/* Nobody is here.  'secret' is random: who could guess where an address goes
 * would send all of its own to one place.  NULL without memory. */
struct clients *clients_new(const uint64_t secret[4]);
void		clients_free(struct clients *); /* everybody has left */

/* Whether the listener has a limit of these at all. */
bool clients_are_limited(const struct listener_conf *);

enum clients_answer {
	CLIENTS_TAKEN, /* one session more, until clients_give() */
	CLIENTS_MANY,  /* it has max_sessions_per_client */
	CLIENTS_FAST,  /* it had session_rate_per_client */
	CLIENTS_NO_MEMORY,
};

/* Any thread; 'now' in ms. */
enum clients_answer clients_take(struct clients *, const struct listener_conf *,
    const struct peer *, uint64_t now);
void clients_give(struct clients *, const struct listener_conf *,
    const struct peer *, uint64_t now);

/* Entries now: those with a session, and those that are remembered. */
struct clients_count {
	size_t here, remembered;
};
struct clients_count clients_count(struct clients *);

#endif
