/* Inside a race: who drives it (race.c), makes its sockets (race_connect.c), tries
 * the other family beside (race_rival.c), waits for a server that takes it
 * (race_wait.c) and says why it is lost (race_lose.c). */
#ifndef SLUICE_PROXY_RACE_INTERNAL_H
#define SLUICE_PROXY_RACE_INTERNAL_H

#include "proxy/balance.h"
#include "proxy/waitlist.h"
#include "race.h"
#include "waiter.h"
#include "worker-internal.h"

enum race_state {
	RACE_IDLE,
	RACE_TRYING,
	RACE_PAUSED,
	RACE_RETRYING,
	RACE_WAITING,
};

/* What a session waits for. */
enum race_want {
	WANT_ROOM,   /* in a server that is full */
	WANT_SERVER, /* none is up */
	WANT_RESUME, /* an operator has paused the upstream */
};

struct race {
	enum race_state state;
	struct pool    *pool;  /* one reference */
	struct event	timer; /* PAUSED, RETRYING: finer than the wheel */
	uint64_t	started;
	uint64_t	attempt_started;
	uint64_t	attempt_us; /* the same, finer, for the histogram */
	uint64_t	backoff;
	size_t		current; /* endpoint being tried */
	size_t		source;	 /* index into the upstream's sources */
	uint64_t	key;	 /* of its balancing by hash */
	bool		timed_out; /* the last failure was */
	int		error;	   /* of the last failure */
	uint64_t       *tried;	   /* owned: bits over the pool's endpoints */

	/* Tried beside the first (race_rival.c). */
	bool		     rival_due;	   /* when the timer is over */
	struct conn	     rival;
	struct server_state *rival_server; /* one reference, and a place;
					      NULL: there is no rival */
	size_t		     rival_at;	   /* endpoint */
	uint64_t	     rival_started, rival_us; /* as of the first */

	struct waiter  *waiter; /* owned; NULL until it waits, and again after */
	uint64_t	waiting_since; /* the first time; 0: never */
	enum race_want	want;	       /* WAITING */
};

static inline const struct upstream_conf *
race_conf(const struct session *s)
{
	return s->target;
}

static inline struct upstream_stats *
race_stats(const struct session *s)
{
	return &s->worker->stats.upstreams[race_conf(s)->index];
}

static inline struct waitlist *
race_list(const struct session *s)
{
	return &s->worker->shared->waits[race_conf(s)->index];
}

/* What upstreams and servers count. */
void race_count_attempt(struct session *);
void race_count_failure(struct session *, struct server_state *, int error);

/* The first is on its way; the rival follows if there is one, and it takes too
 * long. */
void rival_arm(struct session *);

/* Whether the rival has connected; it is then s->upstream. */
bool rival_wins(struct session *);

/* The first has failed, or lost: whether there is a rival, and it goes on as
 * s->upstream; else the race is idle. */
bool rival_takes_over(struct session *);

void rival_free(struct session *); /* none is fine */

/* The address's connect(2) has begun: its descriptor, or -errno. */
int race_connect(struct session *, const struct addr *);

/* Whether nobody is there but ourselves: nobody listens. */
bool race_meets_itself(const struct session *);

/* What to ask the pool's balance.  Its random number is another each time. */
struct balance_ask race_ask(const struct session *);

/* The addresses that are known now, none of them tried; without memory those
 * that it had. */
bool race_enter_pool(struct race *, struct pool *);

/* Nothing is left to be tried: RACE_LOST, and s->ending is set. */
enum race_result race_lose(struct session *);

/* Whether those who came before go first, or nobody may go on. */
bool race_must_queue(const struct session *);

/* Waits until there is a server; RACE_LOST has set s->ending: it may not. */
enum race_result race_wait(struct session *);

/* Whether its turn has come; then it is idle again. */
bool race_goes_on(struct session *);

/* It has found what it waited for; also if it has never waited. */
void race_stop_waiting(struct session *);

/* Until when it waits, and then what. */
uint64_t	 race_wait_deadline(const struct session *);
enum race_result race_wait_expire(struct session *);

#endif
