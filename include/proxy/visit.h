/* A look at a worker's sessions from outside, without stopping it: so many at a
 * time, between which the worker does its work.
 *
 *	sender --worker_mail--> worker: looks at VISIT_BUDGET sessions
 *	   ^------box_put(home)----'  	until 'done', send it again for more
 *
 * While it is out nothing in it may be touched, and until it came back 'done'
 * it may not be freed: its place among the sessions is the worker's.  A worker
 * that refuses it has stopped and knows nothing of it any more. */
#ifndef SLUICE_PROXY_VISIT_H
#define SLUICE_PROXY_VISIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/addr.h"
#include "base/prefix.h"
#include "proxy/closerecord.h"
#include "proxy/mail.h"

#define VISIT_BUDGET 256
#define VISIT_WHO    80

struct session;

enum visit_action {
	VISIT_LIST,   /* copy what is found */
	VISIT_KILL,   /* end what is found */
	VISIT_CANCEL, /* leave off: comes back 'done', nothing was looked at */
};

/* Which sessions; zeroed, all of them. */
struct visit_filter {
	char	      listener[CLOSERECORD_NAME]; /* "": any */
	char	      upstream[CLOSERECORD_NAME];
	char	      server[ADDR_TEXT];	  /* address as text, or name */
	struct prefix client;
	uint64_t      min_age_ms;
	uint64_t      id; /* 0: any */
	bool	      connected; /* only those that reached their server */
	bool	      draining; /* only those of servers that operators drain */
};

/* A session as it was in that moment; copies only. */
struct session_info {
	uint64_t    id;
	uint64_t    order; /* on its worker: the younger, the greater */
	char	    listener[CLOSERECORD_NAME];
	char	    upstream[CLOSERECORD_NAME];
	char	    server[ADDR_TEXT]; /* "" before CONNECT */
	char	    server_name[CLOSERECORD_NAME]; /* of name=; "" */
	struct peer client;
	struct peer via; /* as in a closerecord */
	char	    sni[CLIENT_HELLO_NAME]; /* "": none, or not heard */
	char	    route[CLOSERECORD_ROUTE]; /* as in a closerecord */
	const char *protocol; /* static storage; "": not known */
	const char *phase; /* static storage; "wait" while it waits */
	const char *waits_for; /* static storage: "room", "server", "resume",
				  "name"; NULL: it does not wait */
	uint64_t    age_ms;
	uint64_t    idle_ms; /* since bytes moved */
	uint64_t    bytes_to_upstream;
	uint64_t    bytes_to_client;
	unsigned    attempts; /* to connect */
	bool	    client_fin; /* that side has said all it will */
	bool	    upstream_fin;
};

/* Where among a worker's sessions a visit goes on; they move it on when they
 * end. */
struct visit_place {
	LIST_ENTRY(visit_place) link;
	struct session	       *next; /* NULL: that was all */
	bool			begun;
};
LIST_HEAD(visit_list, visit_place);

struct visit {
	struct mail	    mail;
	struct box	   *home; /* where it goes back to; not its own */
	enum visit_action   action;
	struct visit_filter filter;
	uint64_t	    below; /* only sessions of a lower order; 0: any */
	size_t		    most;  /* to be found this time, VISIT_BUDGET at most */
	struct ending	    ending; /* KILL: what records will say, with */
	char		    who[VISIT_WHO]; /* its detail: "killed by whom" */

	bool		    done; /* nothing is left to look at */
	size_t		    found;
	struct session_info infos[VISIT_BUDGET]; /* LIST: the youngest first */

	struct visit_place  place; /* the worker's */
};

/* A visit of everything, as yet for nobody. */
void visit_init(struct visit *, struct box *home);

/* What was taken out of 'home'; NULL: no more. */
struct visit *visit_next(struct box_list *);

#endif
