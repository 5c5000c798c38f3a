/* A session: one client and its upstream, from accept to close record.
 *
 *	session_new -> GREETING -> ADMIT -> PEEK -> ROUTE -> CONNECT ->
 *	    INTRODUCE -> RELAY -> (FLUSH)
 *	    any phase: PHASE_END, a deadline, drain -> session_end
 *	    end of the turn -> session_reap
 *
 * Advanced only by session_advance(), ended only by session_end(), freed only
 * by session_reap(), which only the worker's loop calls, between two turns. */
#ifndef SLUICE_PROXY_SESSION_H
#define SLUICE_PROXY_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/addr.h"
#include "base/wheel.h"
#include "config/config.h"
#include "meter.h"
#include "net/conn.h"
#include "phase.h"
#include "proxy/closerecord.h"
#include "proxy/stats.h"
#include "relay.h"

struct early;
struct race;

/* Thousands of these are idle: what can be computed is not kept, and what only
 * CONNECT needs is in the race.  Times are worker_now(), or milliseconds since
 * 'started' (session_age). */
struct session {
	struct worker		   *worker;
	const struct phase	   *phase;
	const struct listener_conf *listener;
	const struct upstream_conf *target; /* PEEK may choose another */
	const struct route_conf	   *route;  /* that chose it, or NULL */
	struct conn		    client;
	struct conn		    upstream;
	struct relay		    to_upstream;
	struct relay		    to_client;

	LIST_ENTRY(session)  link;   /* worker->sessions, ->ended */
	struct early	    *early;  /* owned; NULL on a plain listener */
	struct race	    *race;   /* CONNECT: owned */
	struct meter	    *meters; /* owned; NULL: no limit of bandwidth */
	struct server_state *server; /* from CONNECT on: one reference */
	struct wheel_entry   timer;

	uint64_t order;	  /* in worker->sessions, falling */
	uint64_t started;
	uint64_t active;  /* the last time bytes moved */
	uint64_t look_at; /* RELAY: access_log_interval, or max; FLUSH: poll;
			     ROUTE: since when an address is waited for */
	union {
		LIST_ENTRY(session) waiting; /* ROUTE: worker->routing */
		struct {
			uint64_t progress; /* RELAY: stall check; FLUSH: last */
			uint64_t unsent;   /* by the kernels, at the last look */
		};
	};

	uint32_t dialed_ms;	/* the first attempt */
	uint32_t connected_ms;
	uint32_t first_byte_ms; /* of the upstream, if there was one */
	uint32_t introduced;	/* bytes of our PROXY header that were sent */
	uint16_t attempts;
	bool	 counted; /* among the sessions of its client */
	bool	 taken;	 /* counts as taken at its server */
	bool	 held;	/* ADMIT: denied, and to hear nothing of it */
	bool	 is_waiting;
	bool	 answered; /* ROUTE: it was, while it waits */
	bool	 ended;
	bool	 connected;
	bool	 relaying; /* both sides were pumped once */
	bool	 flushing; /* one side was reset */
	bool	 failed;   /* an attempt to connect did */
	bool	 recorded; /* it is in the access log */
	bool	 probed;   /* keepalive is on for the upstream, or unwanted */

	struct peer   peer; /* who the session is said to be of (early.h) */
	struct ending ending; /* set by whoever answers PHASE_END */
};
LIST_HEAD(session_list, session);

/* Takes the client's connection over (conn_move) and starts.  False without
 * memory, and then the connection is still the caller's. */
bool session_new(struct worker *, const struct listener_conf *, struct conn *,
    const struct peer *);

/* Runs the phases from where the session stands until one waits or it ends. */
void session_advance(struct session *);

/* The session's time has come up in the wheel. */
void session_expire(struct session *);

/* Closes, writes the close record, moves to the worker's ended.  Idempotent;
 * the memory stays valid until session_reap(). */
void session_end(struct session *, const struct ending *);

/* Whether the side that a relay leads to must be told by a reset that the
 * session has ended: its stream was cut short, it has had no FIN. */
bool session_cuts(const struct relay *);

/* What the bandwidth of a direction is limited by, or NULL. */
static inline struct meter *
session_meter(const struct relay *r)
{
	const struct session *s = r->session;

	return s->meters == NULL ? NULL : &s->meters[r == &s->to_client];
}

/* Gives back the place in its server, if it has one, to who waits for it. */
void session_give_server(struct session *);

/* Frees what ended. */
void session_reap(struct worker *);

/* As people see it (closerecord_id); and the one that has this 'order'. */
uint64_t session_id(const struct session *);
uint64_t session_id_of(const struct worker *, uint64_t order);

/* Milliseconds since accept; those that have no room, from 49 days on, are told
 * as the most that has. */
uint32_t session_age(const struct session *);

/* The worker's row of its listener. */
struct listener_stats *session_stats(const struct session *);

/* The name of the phase, as records have it; and that of the nth phase. */
const char *session_phase(const struct session *);
const char *session_phase_name(size_t n);

/* What it waits for before it gets a server: "room" in one that is full, a
 * "server" that is up, the upstream's "resume", or the answer for a "name"; NULL:
 * it does not wait. */
const char *session_waits_for(const struct session *);

/* An event of the upstream's connection; who opens one names it. */
void session_hears_upstream(evutil_socket_t, short what, void *session);

#endif
