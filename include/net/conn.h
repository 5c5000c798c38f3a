/* One connection on one event base.
 *
 * A conn has one event for its whole life (edge-triggered, both ways and FIN),
 * so a reset is heard even on a side that nobody reads.  An edge sets flags;
 * only EAGAIN, the end of the stream or an error clears them.  The first error
 * sticks: an error that a call has taken is gone from the socket, and the next
 * recv would say 0, which looks like a clean end. */
#ifndef SLUICE_NET_CONN_H
#define SLUICE_NET_CONN_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct conn {
	struct event event;
	int	     fd;	/* owned; -1: closed.  Valid only if 'open' */
	int16_t	     error;	/* the first, -errno; sticky */
	int16_t	     write_error; /* a Unix peer reads no more, and may still
				     speak; 0: none */
	uint8_t	     delays; /* 1: the next send needs TCP_NODELAY; 2: the one
				after, since nothing delays the first; 0: none */
	bool	     open;
	bool	     readable;
	bool	     writable;
	bool	     doubtful;	/* a reset may hide behind what was read */
	bool	     heard;	/* data or a reset came: not looked at yet */
	bool	     hung_up;	/* the peer's FIN was heard of */
	bool	     eof;	/* and read */
	bool	     shut;	/* our own FIN was sent, or the close does */
};

/* The events above; bases need EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE.  NULL
 * without memory or descriptors: errno says which. */
struct event_base *conn_base_new(void);

/* Takes the fd over and registers it, after connect(2).  libevent then calls
 * the owner, who passes on what it says to conn_hear() first of all.  0 or
 * -errno, and then the fd is still the caller's. */
int conn_open(struct conn *, struct event_base *, int fd, event_callback_fn,
    void *owner);

/* Sets the flags for what an event says. */
void conn_hear(struct conn *, short what);

/* Carries an open connection, flags and all, to another place and base; 'from'
 * is closed afterwards.  Both on the calling thread, or 'from' on no base yet
 * (conn_hold).  0 or -errno, and then 'from' is as it was, without its
 * event. */
int conn_move(struct conn *to, struct event_base *, struct conn *from,
    event_callback_fn, void *owner);

/* An open connection on no base: how one travels by mail. */
void conn_hold(struct conn *, int fd);

/* Deletes the event, then closes.  Closed already is fine. */
void conn_close(struct conn *);
void conn_reset(struct conn *); /* the same with a reset for the peer */

/* Records the first error; a later one is ignored. */
void conn_fail(struct conn *, int error);

/* The same for an error of sending: EPIPE of a Unix socket ends only that. */
void conn_fail_write(struct conn *, int error);

/* Answers what was heard on a connection that nobody reads now, by asking the
 * socket for its error; true if the connection has one, of now or before. */
bool conn_check(struct conn *);

/* Asks the kernel what no event has told yet, and sets the flags; true if there
 * was something.  For whoever is about to say that nothing has happened: after
 * the process was stopped for a while, timers come before events. */
bool conn_catch_up(struct conn *);

/* recv(2): bytes > 0, or 0 and the flags tell: 'readable' gone (EAGAIN), 'eof',
 * or 'error'.  A short read leaves 'readable': data and a reset may have come
 * in one edge; see conn_doubt(). */
size_t conn_recv(struct conn *, void *, size_t);

/* TCP_NODELAY, once it matters: not before the second send, which is the first
 * that could have to wait for an acknowledgement (tcp_nagle_check()). */
void conn_set_nodelay(struct conn *);

/* For who sends by other means than conn_send(): before each time. */
void conn_will_send(struct conn *);

/* After a short read of a TCP socket, which has emptied it: 'readable' goes
 * until the next edge, and what may hide behind the data stays in doubt. */
void conn_doubt(struct conn *);

/* As if another edge had come, if there is doubt. */
void conn_ask(struct conn *);

/* send(2): how many bytes were taken; less than 'len' has cleared 'writable' or
 * set 'error' or 'write_error', and then 'writable' stays cleared. */
size_t conn_send(struct conn *, const void *, size_t len);

/* Our FIN, once. */
void conn_shutdown(struct conn *);

#endif
