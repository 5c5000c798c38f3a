/* Messages on their way to the log writer.  Full means dropped and counted,
 * since nobody may wait for the device behind it; and what repeats itself is
 * held back here, so that it does not fill the queue either. */
#ifndef SLUICE_CONTROL_LOGQUEUE_H
#define SLUICE_CONTROL_LOGQUEUE_H

#include <pthread.h>

#include "base/counter.h"
#include "repeats.h"

#define LOGQUEUE_ROWS 256

struct message {
	uint64_t       time; /* clock_wall() */
	enum log_level level;
	size_t	       len;
	char	       text[LOG_LINE];
};

struct logqueue {
	pthread_mutex_t mutex; /* guards all but the counter's readers */
	unsigned	first, count;
	struct counter	dropped;
	struct repeats	repeats;
	struct message	rows[LOGQUEUE_ROWS];
};

/* Any thread. */
void logqueue_put(struct logqueue *, enum log_level, const char *text,
    size_t len);

/* Holds nothing back for having been said before now: see repeats.h. */
void logqueue_forget(struct logqueue *);

/* When the oldest was put (clock_wall()), or UINT64_MAX: there is none. */
uint64_t logqueue_oldest(struct logqueue *);

/* Takes the oldest.  False: there is none. */
bool logqueue_take(struct logqueue *, struct message *);

/* Takes a count of repeats that is due at 'now' (clock_ms(); UINT64_MAX: whether
 * due or not), and no message that may have come meanwhile.  False: nothing. */
bool logqueue_take_count(struct logqueue *, struct message *, uint64_t now);

/* When a count will be due, or UINT64_MAX. */
uint64_t logqueue_due(struct logqueue *);

#endif
