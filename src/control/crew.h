/* The workers, as the main thread holds them. */
#ifndef SLUICE_CONTROL_CREW_H
#define SLUICE_CONTROL_CREW_H

#include "proxy/worker.h"

struct crew;

/* Makes them, not running.  NULL without memory or descriptors: errno says
 * which. */
struct crew *crew_new(const struct config *, size_t nworkers,
    uint64_t max_sessions);
void crew_free(struct crew *); /* joined, or never started */

/* For a configuration other than the one before: room for all it has, which may
 * fail (0 or -errno) and changes nothing; its limits, once it is the one. */
int  crew_grow(struct crew *, const struct config *);
void crew_follow(struct crew *, const struct config *);

/* What was counted for a place is nobody's any more. */
void crew_clear_listener(struct crew *, size_t place);
void crew_clear_upstream(struct crew *, size_t place);

struct shared *crew_shared(struct crew *);
size_t	       crew_size(const struct crew *);
struct worker *crew_worker(struct crew *, size_t);

/* Starts the threads and gives each its mail (taken over). 0 or -errno. */
int crew_start(struct crew *, struct mail **mails);

/* Each worker gets its mail (taken over). */
void crew_tell(struct crew *, struct mail **mails);

/* Each worker gets a reference; or none does, without memory: -ENOMEM. */
int crew_tell_endpoints(struct crew *, struct endpoint_set *);

/* All of a listener's ports refuse clients, or accept them again; 0 or
 * -ENOMEM. */
int crew_listen(struct crew *, const struct listener_conf *, enum listen_how);

/* Accept no more, end with the last session; or now.  Cannot fail: the mail
 * was made with the crew.  If listening 'goes_on' elsewhere, who is queued is
 * left there. */
void crew_drain(struct crew *, bool goes_on);
void crew_kill(struct crew *, const struct ending *);

/* How many threads have ended since the last call; 'done_fd' became readable.
 */
size_t crew_ended(struct crew *);

/* Whether servers could not be connected to since the last call; 'failed_fd'
 * became readable.  Which they were, their counters tell. */
bool crew_failed(struct crew *);

void   crew_join(struct crew *);

uint64_t crew_sessions(struct crew *);

/* What all workers counted of one listener or upstream, and what one worker
 * counted of all listeners: 'sum' is overwritten. */
/* Another number than before: some worker has done something. */
uint64_t crew_progress(struct crew *);

void crew_sum_listener(const struct crew *, size_t i,
    struct listener_stats *sum);
void crew_sum_upstream(const struct crew *, size_t i,
    struct upstream_stats *sum);
void crew_sum_worker(const struct crew *, size_t i, struct listener_stats *sum);

#endif
