/* One look-up of all names of an upstream, in a thread of its own. */
#ifndef SLUICE_CONTROL_LOOKUP_H
#define SLUICE_CONTROL_LOOKUP_H

#include <stddef.h>

#include "base/box.h"
#include "config/config.h"

/* What one server's name gave. */
struct lookup_answer {
	struct addr *addrs; /* owned */
	size_t	     count;
	int	     error; /* 0 or EAI_* */
};

struct lookup {
	struct box_item	      item;
	size_t		      upstream;
	size_t		      count; /* of servers */
	char		    **hosts; /* copies; NULL: numeric, not asked */
	uint16_t	     *ports;
	struct lookup_answer *answers;
};

/* A box for finished look-ups, which may outlive its owner: each running one
 * holds a reference. */
struct box    *lookup_box_new(void);
struct lookup *lookup_next(struct box_list *); /* taken from it; or NULL */

/* Begins; the answer comes into the box. 0 or -errno. */
int  lookup_start(struct box *, const struct upstream_conf *);
void lookup_free(struct lookup *);

#endif
