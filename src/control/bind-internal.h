/* One bind on its way to sockets, as bind.c and bind_passed.c see it. */
#ifndef SLUICE_CONTROL_BIND_INTERNAL_H
#define SLUICE_CONTROL_BIND_INTERNAL_H

#include "bind.h"

#include "bind_options.h"

struct binding {
	const struct config	   *config;
	const struct listener_conf *listener;
	const struct bind_conf	   *bind;
	struct mail		  **mails; /* NULL: it is only tried */
	struct ports		   *ports; /* that there are already, or NULL */
	const struct bind_told	   *told;  /* who hears of errors; NULL: the log */
	struct bind_trial	   *trial; /* beside a daemon; or NULL */
	struct port		   *port;  /* that is made */
	size_t			    nworkers;
	size_t			    turn; /* who owns the next single one */
	bool			    looks; /* only for what was kept for it */
	struct bind_options	    options; /* of the listener */
};

/* Says what is wrong with a bind, in the log and to who asked for a reload, or
 * only to who tries one:
 * "FILE:LINE: listener NAME: WHY: ERROR".  Returns the error, which may be 0 and
 * then is not said. */
int bind_complain(const struct binding *, int error, const char *why);

/* Gives the port that is made a socket, and a worker that; takes the fd over. */
int bind_add(const struct binding *, size_t worker, int fd);

/* "systemd:NAME": all sockets of that name. */
int bind_passed(struct binding *);

/* Gives the port that is made what was kept for it.  How many sockets those are,
 * or -errno. */
int bind_stored(struct binding *, const struct addr *);

/* Marks it, so that it is not let go. */
void bind_want_stored(const struct binding *, const struct addr *);

/* Whether one is there that has that port number. */
bool bind_is_stored(const struct binding *, uint16_t number);

#endif
