/* The sockets that systemd passes when it starts us (sd_listen_fds(3)): those of
 * socket units, by the name that FileDescriptorName= gives them, and those that
 * were kept for us (store.h).
 *
 * A unit's stay open here for as long as we run: listeners get copies, so that a
 * reload finds also what was not used before, or is not used any more. */
#ifndef SLUICE_CONTROL_PASSED_H
#define SLUICE_CONTROL_PASSED_H

#include <stddef.h>

#include "base/addr.h"

struct passed_socket {
	char	   *name; /* owned; systemd's "unknown" if it gave none */
	int	    fd;	  /* owned; -1: somebody took it over */
	bool	    wanted; /* of those that were kept: by a bind */
	struct addr addr; /* it is bound to; length 0: it is no socket */
};

struct passed {
	struct passed_socket *sockets; /* owned */
	size_t		      count;
};

/* Reads $LISTEN_PID, $LISTEN_FDS and $LISTEN_FDNAMES, and removes them: our
 * children are not meant.  To be called by the process that was started, before
 * it forks.  0 or -ENOMEM. */
int  passed_init(struct passed *);
void passed_done(struct passed *);

/* The next of that name behind 'after' (NULL: the first), or NULL. */
struct passed_socket *passed_next(const struct passed *, const char *name,
    const struct passed_socket *after);

/* Whether it is a stream socket that listens. */
bool passed_listens(const struct passed_socket *);

/* The names that there are, "a, b, c", cut where it gets too long; "none". */
const char *passed_names(const struct passed *, char *text, size_t size);

#endif
