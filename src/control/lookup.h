/* One look-up of a name, in a thread of its own. */
#ifndef SLUICE_CONTROL_LOOKUP_H
#define SLUICE_CONTROL_LOOKUP_H

#include <stddef.h>

#include "base/addr.h"
#include "base/box.h"

struct lookup {
	struct box_item item;
	uint64_t	id;    /* the caller's */
	char	       *host;  /* a copy */
	struct addr    *addrs; /* owned; port 0 */
	size_t		count;
	int		error; /* 0 or EAI_* */
};

/* A box for finished look-ups, which may outlive its owner: each running one
 * holds a reference. */
struct box    *lookup_box_new(void);
struct lookup *lookup_next(struct box_list *); /* taken from it; or NULL */

/* Begins; the answer comes into the box. 0 or -errno. */
int  lookup_start(struct box *, const char *host, uint64_t id);
void lookup_free(struct lookup *);

#endif
