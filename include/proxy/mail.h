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

struct listener;
struct pool;

enum mail_kind {
	MAIL_SNAPSHOT,	/* a configuration and the listening sockets to own */
	MAIL_ENDPOINTS, /* new addresses of an upstream */
	MAIL_ADOPT,	/* a client that another worker accepted */
	MAIL_DRAIN,	/* accept no more; stop with the last session */
	MAIL_KILL,	/* end every session, then stop */
	MAIL_VISIT,	/* look at sessions: embedded in a struct visit */
	MAIL_LISTEN,	/* a listener's ports refuse clients, or no longer */
	MAIL_WAKE,	/* a session's turn has come: embedded in its waiter */
};

/* A listening socket and whose it is. */
struct listen_fd {
	int			    fd; /* owned */
	const struct listener_conf *conf;
	struct listener		   *listener; /* owned: room for what it
						 becomes at the worker */
};

struct mail {
	struct box_item	item;
	enum mail_kind	kind;

	struct snapshot *snapshot; /* SNAPSHOT: one reference */
	struct listen_fd *fds;	   /* SNAPSHOT: owned */
	size_t		  nfds;

	struct pool *pool; /* ENDPOINTS: one reference */

	struct ending ending; /* KILL: what the records will say */

	const struct listener_conf *listener; /* ADOPT: of the reader's
						 snapshot, its slot taken;
						 LISTEN */
	bool			    listens;  /* LISTEN */
	struct conn		    client;   /* ADOPT: owned, on no base */
	struct peer		    peer;
};

struct mail *mail_new(enum mail_kind); /* zeroed; NULL without memory */

/* MAIL_ENDPOINTS with a reference of its own; 'random' spreads where the
 * workers' round robins begin. NULL without memory. */
struct mail *mail_new_endpoints(struct endpoint_set *, uint64_t random);
void	     mail_free(struct mail *); /* and all it still owns */

/* Gives MAIL_SNAPSHOT one more listening socket.  0, or -ENOMEM and then the
 * fd is still the caller's. */
int mail_add_listener(struct mail *, int fd, const struct listener_conf *);

/* A worker's mailbox is a box of mail. */
struct box  *mail_box_new(void); /* NULL without memory or descriptors */
struct mail *mail_next(struct box_list *); /* taken from it; or NULL */

#endif
