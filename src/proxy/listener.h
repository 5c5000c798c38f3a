/* An accepting socket owned by one worker. */
#ifndef SLUICE_PROXY_LISTENER_H
#define SLUICE_PROXY_LISTENER_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "config/config.h"
#include "proxy/mail.h"

struct worker;

struct listener {
	LIST_ENTRY(listener) link; /* worker->listeners */
	struct event	     event;
	struct worker	    *worker;
	const struct listener_conf *conf;
	int		     fd; /* owned */
	bool		     paused;
	bool		     mute; /* its port refuses clients: listen(2) failed */
	bool		     shut; /* its port refuses clients, as it should */
	bool		     shared; /* not ours alone: never shut, and left
					with its queue */
	bool		     fixed; /* its port is not one that the kernel chose */
	bool		     deaf; /* and hears no new ones (sock_deafen) */
	bool		     rests; /* 'leave_at' is when it is to be shut */
	bool		     turns_away; /* and who comes all the same */
	uint64_t	     leave_at; /* closed then; 0: it stays */
	uint64_t	     leave_until; /* or later, but by then */
	uint64_t	     resume_at; /* not before, if paused */
	uint64_t	     warned; /* when a pause was last spoken of */
};

/* Makes a listener of the zeroed memory that comes with the fd, takes both over
 * and begins to accept: later, if it cannot now. */
void listener_open(struct worker *, const struct listen_fd *);

/* Accepts again what a pause left waiting; false: cannot yet. */
bool listener_resume(struct listener *);

#define LISTENER_RESUME_MS 50 /* until the next try */

/* Refuses clients, and those that are queued are reset; the port stays ours, so
 * that it can listen again.  Not a Unix socket, which could not, nor one whose
 * port the kernel chose, which would lose it. */
void listener_shut(struct listener *);
void listener_listen(struct listener *);

/* The same, once who has begun to connect has come; true: that is not so yet,
 * and listener_left() has to follow at 'leave_at'.  Where a port cannot refuse,
 * who connects is reset. */
bool listener_rest(struct listener *);

/* From now on it is one of another configuration; if of another listener, it
 * accepts as all of that do at first. */
void listener_obey(struct listener *, const struct listener_conf *);

/* Closes, once who has begun to connect has come: the port takes nobody new any
 * more, or where that cannot be had still does meanwhile.  False: closed at once,
 * where nobody can be on the way. */
bool listener_leave(struct listener *);

/* Its 'leave_at' has come: it is closed, or shut; or gets another, while somebody
 * is queued there for whom there is no place. */
void listener_left(struct listener *);

/* Less than the second after which a lost first segment is sent again (RFC 6298),
 * so that nobody's is lost twice. */
#define LISTENER_LEAVE_MS 800

/* Main knows of such a port for a second more. */
#define LISTENER_LEAVE_MOST_MS 4000

/* Takes in who is queued already, whom closing would reset, and closes: for all
 * who have the socket, if it is not shared. */
void listener_drain(struct listener *);
void listener_close(struct listener *);

#endif
