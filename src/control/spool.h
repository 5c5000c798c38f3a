/* What is to be logged on its way to the devices: messages in a queue, records
 * in the workers' rings, an outlet for each.  One thread at a time works on it;
 * anybody may put a message into the queue. */
#ifndef SLUICE_CONTROL_SPOOL_H
#define SLUICE_CONTROL_SPOOL_H

#include "logplan.h"
#include "logqueue.h"
#include "proxy/worker.h"

/* Gets each line as text and as JSON. */
typedef void spool_tap(enum log_format, const char *line, size_t len);

struct spool {
	struct logqueue queue;
	struct shared  *shared; /* with the rings; NULL: no workers yet */
	struct outlet	log;
	struct outlet	access;	 /* a device of its own, or none */
	struct outlet  *records; /* one of those; NULL: access_log = off */
	struct leaving_list leaving; /* those of before, not empty yet */
	uint64_t	now;	 /* clock_ms() of the pass */

	/* Any thread. */
	_Atomic(spool_tap *) tap; /* NULL: none */
	atomic_bool	     reopening; /* at the next pass */
	_Atomic(struct logplan *) plan; /* for the next pass; owned */
	pthread_mutex_t	     mutex; /* held to change which devices there are,
				       and to look at them from elsewhere */
	bool		     will_record; /* by the last plan */
	uint64_t	     dropped[LOGDEVICE_KINDS]; /* by those that left */
};

/* Opens the devices of a spool that is zeroed but for its mutexes: those that
 * are wanted.  0, or -errno after it was logged. */
int  spool_open(struct spool *, const struct config *,
    const struct logwant *);
void spool_close(struct spool *);

/* Says which device takes nothing yet. */
void spool_warn(struct spool *);

void spool_give(struct spool *, uid_t, gid_t);

/* The next pass carries it out, which is owned: what came before goes to the old
 * devices, which are closed once they are empty or stuck.  Any thread. */
void spool_change(struct spool *, struct logplan *);

/* Has workers make records while somebody takes them.  Any thread. */
void spool_want_records(struct spool *);

/* Moves what is there to the devices as far as they take it; true: something
 * moved.  'all': counts of repeats that are not due yet, too. */
bool spool_pass(struct spool *, bool all);

/* Until somebody writes to the eventfd 'wake_fd', a device takes lines again
 * (true), or it is time for a pass anyhow. */
bool spool_wait(struct spool *, int wake_fd);

/* Passes until all is written, or a device is stuck, or 'until'
 * (clock_ms()). */
void spool_finish(struct spool *, bool all, uint64_t until);

/* All that was lost on the way, on devices and before.  Any thread. */
uint64_t spool_dropped(struct spool *, enum logdevice_kind);

#endif
