/* What is to be logged on its way to the devices: messages in a queue, records
 * in the workers' rings, an outlet for each.  One thread at a time works on it;
 * anybody may put a message into the queue. */
#ifndef SLUICE_CONTROL_SPOOL_H
#define SLUICE_CONTROL_SPOOL_H

#include "logqueue.h"
#include "outlet.h"
#include "proxy/worker.h"

/* Gets each line as text and as JSON. */
typedef void spool_tap(enum log_format, const char *line, size_t len);

struct spool {
	struct logqueue queue;
	struct shared  *shared; /* with the rings; NULL: no workers yet */
	struct outlet	log;
	struct outlet	access;	 /* a device of its own, or none */
	struct outlet  *records; /* one of those; NULL: access_log = off */
	uint64_t	now;	 /* clock_ms() of the pass */

	/* Any thread. */
	_Atomic(spool_tap *) tap; /* NULL: none */
	atomic_bool	     reopening; /* at the next pass */
};

/* Opens the devices of a spool that is zeroed but for its mutex: those that
 * log and access_log name, but 'log' where it is given.  0, or -errno after it
 * was logged. */
int  spool_open(struct spool *, const struct config *,
    const struct log_target *log);
void spool_close(struct spool *);

/* Says which device takes nothing yet. */
void spool_warn(struct spool *);

void spool_give(struct spool *, uid_t, gid_t);

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
uint64_t spool_dropped(const struct spool *, enum logdevice_kind);

#endif
