/* Requests to a worker.  Allocated by the sender before the point where nothing
 * may fail; owned by the box, then by the reader, who frees it. */
#ifndef SLUICE_PROXY_MAIL_H
#define SLUICE_PROXY_MAIL_H

#include <stddef.h>

#include "base/addr.h"
#include "base/box.h"
#include "config/snapshot.h"
#include "net/conn.h"
#include "proxy/closerecord.h"
#include "proxy/endpoint.h"

struct era;
struct listener;
struct pool;

enum mail_kind {
	MAIL_SNAPSHOT,	/* a configuration, and what becomes of the listening
			   sockets */
	MAIL_ENDPOINTS, /* new addresses of an upstream */
	MAIL_ADOPT,	/* a client that another worker accepted */
	MAIL_DRAIN,	/* accept no more; stop with the last session */
	MAIL_KILL,	/* end every session, then stop */
	MAIL_VISIT,	/* look at sessions: embedded in a struct visit */
	MAIL_LISTEN,	/* a listener's ports refuse clients, or no longer */
	MAIL_WAKE,	/* a session's turn has come: embedded in its waiter */
};

enum listen_order {
	LISTEN_OPEN,  /* it is new: fd and memory are owned */
	LISTEN_KEEP,  /* it is the reader's already, and 'conf' is its new one */
	LISTEN_LEAVE, /* so it is: those who are on their way may still come */
};

/* What becomes of a listener's ports while they stay ours. */
enum listen_how {
	LISTEN_ON,    /* clients come */
	LISTEN_OFF,   /* they are refused from now on */
	LISTEN_RESTS, /* likewise, once those who are on their way have come */
};

/* A listening socket and whose it is. */
struct listen_fd {
	enum listen_order	    order;
	int			    fd;
	const struct listener_conf *conf; /* of the mail's snapshot */
	struct listener		   *listener; /* what it is at the worker, to
						 whom its inside belongs */
	bool			    shared; /* OPEN: others have it, too, and
					       its clients are not ours alone */
};

struct mail {
	struct box_item	item;
	enum mail_kind	kind;

	struct snapshot	 *snapshot; /* SNAPSHOT, ADOPT: one reference */
	struct era	 *era;	    /* SNAPSHOT: owned */
	struct listen_fd *fds;	    /* SNAPSHOT: owned */
	size_t		  nfds;

	struct pool *pool; /* ENDPOINTS: one reference */

	struct ending ending; /* KILL: what the records will say */
	bool	      goes_on; /* DRAIN: somebody else will accept there */

	const struct listener_conf *listener; /* ADOPT: of 'snapshot', its slot
						 taken; LISTEN */
	enum listen_how		    listens;  /* LISTEN */
	struct conn		    client;   /* ADOPT: owned, on no base */
	struct peer		    peer;
};

struct mail *mail_new(enum mail_kind); /* zeroed; NULL without memory */

/* MAIL_ENDPOINTS with a reference of its own; 'random' spreads where the
 * workers' round robins begin. NULL without memory. */
struct mail *mail_new_endpoints(struct endpoint_set *, uint64_t random);
void	     mail_free(struct mail *); /* and all it still owns */

/* MAIL_SNAPSHOT with a reference of its own; NULL without memory. */
struct mail *mail_new_snapshot(struct snapshot *);

/* Gives MAIL_SNAPSHOT one more listening socket.  0, or -ENOMEM and then the
 * fd is still the caller's. */
int mail_add_listener(struct mail *, int fd, const struct listener_conf *);

/* An order about one that the reader has.  0 or -ENOMEM. */
int mail_add_order(struct mail *, const struct listen_fd *);

/* A worker's mailbox is a box of mail. */
struct box  *mail_box_new(void); /* NULL without memory or descriptors */
struct mail *mail_next(struct box_list *); /* taken from it; or NULL */

#endif
