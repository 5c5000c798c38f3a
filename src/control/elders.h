/* The sessions that it is worth to wait for: those that were there at a moment,
 * or have lasted for a second since, while others come and go.  Looked for by
 * tours (tour.h), until none is found. */
#ifndef SLUICE_CONTROL_ELDERS_H
#define SLUICE_CONTROL_ELDERS_H

#include <event2/event.h>

#include "tour.h"

#define ELDERS_MS 1000 /* from then on it lasts */

struct elders;

/* There is none.  By the loop, never from within elders_begin(); it may be ended
 * here. */
typedef void elders_gone(void *owner);

/* From now on; NULL without memory.  Base and tours must outlive it. */
struct elders *elders_begin(struct event_base *, struct tours *,
    elders_gone *, void *owner);

/* No more gone(). NULL is fine. */
void elders_end(struct elders *);

#endif
