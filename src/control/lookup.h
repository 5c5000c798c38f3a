/* One look-up of all names of an upstream, in a thread of its own. */
#ifndef SLUICE_CONTROL_LOOKUP_H
#define SLUICE_CONTROL_LOOKUP_H

#include <stddef.h>
#include <sys/queue.h>

#include "config/config.h"

/* What one server's name gave. */
struct lookup_answer {
	struct addr *addrs; /* owned */
	size_t	     count;
	int	     error; /* 0 or EAI_* */
};

struct lookup {
	STAILQ_ENTRY(lookup) link;
	size_t		      upstream;
	size_t		      count; /* of servers */
	char		    **hosts; /* copies; NULL: numeric, not asked */
	uint16_t	     *ports;
	struct lookup_answer *answers;
};

/* Where finished look-ups wait; threads may outlive its owner. */
struct lookup_box;

struct lookup_box *lookup_box_new(void);
void		   lookup_box_close(struct lookup_box *);
int		   lookup_box_fd(const struct lookup_box *); /* readable */
struct lookup	  *lookup_box_take(struct lookup_box *);     /* or NULL */

/* Begins; the answer comes into the box. 0 or -errno. */
int  lookup_start(struct lookup_box *, const struct upstream_conf *);
void lookup_free(struct lookup *);

#endif
