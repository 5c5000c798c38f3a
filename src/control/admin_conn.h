/* The connections of an admin server: how many there are, and how long each
 * may take.  evhttp has no hook at a connection's end, so each one's
 * bufferevent has a second reference, ours: evhttp has let go of it when its
 * callbacks are gone.
 *
 *	READING --the whole request is there--> SERVING
 *	   |  too slow, or too many                | the reply is out
 *	   +-------------> CLOSING <---------------+
 *	FIN was sent; what the client still says is read and dropped, since
 *	closing with bytes unread is a reset, which would destroy the reply */
#ifndef SLUICE_CONTROL_ADMIN_CONN_H
#define SLUICE_CONTROL_ADMIN_CONN_H

#include <event2/bufferevent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct admin_conn;
TAILQ_HEAD(admin_conn_list, admin_conn);

struct admin_conns {
	struct admin_conn_list list; /* the oldest first */
	size_t		       count;
	size_t		       max;
};

void admin_conns_init(struct admin_conns *, size_t max);
void admin_conns_done(struct admin_conns *); /* once evhttp is gone */

/* A bufferevent for a connection that was accepted now; evhttp's to free.
 * NULL without memory. */
struct bufferevent *admin_conn_open(struct admin_conns *, struct event_base *,
    uint64_t now);

/* NULL: it is none of ours. */
struct admin_conn *admin_conn_find(const struct admin_conns *,
    const struct bufferevent *);

/* Its request is there. */
void admin_conn_serve(struct admin_conn *);

/* It may take until then; UINT64_MAX: for ever. */
void admin_conn_extend(struct admin_conn *, uint64_t deadline);

/* It ends at once, whatever is unsent. */
void admin_conn_break(struct admin_conn *);

/* Whether the client has closed its side. */
bool admin_conn_left(const struct admin_conn *);

/* Whether somebody is served, or has not taken all of a reply. */
bool admin_conns_busy(const struct admin_conns *);

/* Finds out which have ended and ends what is overdue; of too many, the one
 * that has been waited for the longest. */
void admin_conns_sweep(struct admin_conns *, uint64_t now);

#endif
