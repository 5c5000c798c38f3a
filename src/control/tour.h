/* A tour: one visit to the sessions of every worker in turn, piece by piece, as
 * the main thread sees it.
 *
 *	tour_new -> tour_go -> back() -> tour_go ... -> tour_is_over -> tour_end
 *
 * Who has had enough ends it at any time; it is freed once the visit is
 * home. */
#ifndef SLUICE_CONTROL_TOUR_H
#define SLUICE_CONTROL_TOUR_H

#include <event2/event.h>

#include "crew.h"
#include "proxy/visit.h"

struct tours; /* all that are under way */
struct tour;

/* NULL without memory or descriptors.  The crew must outlive them. */
struct tours *tours_new(struct event_base *, struct crew *);

/* Once the workers have ended; and what is still under way, too.  NULL is fine.
 */
void tours_free(struct tours *);

/* The visit is home with what it found, or the tour is over.  By the loop,
 * never from within tour_go(). */
typedef void tour_back(void *owner);

/* NULL without memory. */
struct tour *tour_new(struct tours *, tour_back *, void *owner);

/* Begin with this worker and there with what is younger than 'below' left out
 * (0: nothing is): where an earlier tour left off. */
void tour_skip(struct tour *, size_t worker, uint64_t below);

/* Asks for the next piece; the visit is out until back(). */
void tour_go(struct tour *);

/* To set what is wanted, and to see what was found; NULL while it is out. */
struct visit *tour_visit(struct tour *);

/* The worker whose sessions were looked at last. */
size_t tour_worker(const struct tour *);

/* Nothing is left to look at; what was found last is still there. */
bool tour_is_over(const struct tour *);

/* No more back(). NULL is fine. */
void tour_end(struct tour *);

#endif
