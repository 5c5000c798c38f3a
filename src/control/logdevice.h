/* Where lines go: stderr, a file or syslog.  Nothing here waits for a device:
 * what it does not take stays in a buffer, and once nothing went for a second
 * the device is stuck: what waits is dropped and counted, and so is all that
 * comes, until the device takes lines again.
 *
 *	FINE <--takes lines-- WAITING --1 s without a byte--> STUCK
 *	  |                      ^                              |
 *	  +---takes not all------+        +---takes a notice----+
 *	  ^-------------------------------+
 *
 * Used by one thread at a time; the counters are for any. */
#ifndef SLUICE_CONTROL_LOGDEVICE_H
#define SLUICE_CONTROL_LOGDEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/counter.h"
#include "config/config.h"

/* The longest line with its newline: a pipe takes as much in one piece
 * (PIPE_BUF, pipe(7)). */
#define LOGDEVICE_LINE 4096

/* How lines look there. */
enum logdevice_style {
	LOGDEVICE_PLAIN,   /* stderr: as people read them */
	LOGDEVICE_JOURNAL, /* stderr, read by systemd's journal: "<6>" */
	LOGDEVICE_FILE,	   /* with the time */
	LOGDEVICE_SYSLOG,  /* "<30>Jan  2 03:04:05 sluice[42]: " */
};

/* What lines are about, and counted by. */
enum logdevice_kind { LOGDEVICE_MESSAGES, LOGDEVICE_RECORDS };
#define LOGDEVICE_KINDS (LOGDEVICE_RECORDS + 1)

struct logdevice;

/* Opens stderr, a file (appending to it, or made with mode 0640) or syslog,
 * which need not be there yet.  0 or -errno. */
int  logdevice_open(struct logdevice **, const struct log_target *);
void logdevice_close(struct logdevice *); /* drops what waits; NULL is fine */

/* A file that logdevice_open() made becomes theirs. 0 or -errno. */
int logdevice_give(struct logdevice *, uid_t, gid_t);

/* The file by this name now, or syslog.  -errno: the old one goes on. */
int logdevice_reopen(struct logdevice *);

enum logdevice_style logdevice_style(const struct logdevice *);
int		     logdevice_fd(const struct logdevice *); /* or -1 */
bool logdevice_is(const struct logdevice *, const struct log_target *);
const char	    *logdevice_name(const struct logdevice *);

/* Whether one more line can be put; a stuck device has room for any. */
bool logdevice_room(const struct logdevice *);

/* Takes a line without newline; written by the next flush, or dropped and
 * counted. */
void logdevice_put(struct logdevice *, enum logdevice_kind, const char *line,
    size_t len);

/* Writes what the device takes at once.  True: something was written. */
bool logdevice_flush(struct logdevice *, uint64_t now);

/* Whether lines wait for the device, and the descriptor that poll(2) is to
 * watch for POLLOUT meanwhile: -1 where only time helps. */
bool logdevice_waits(const struct logdevice *);
int  logdevice_poll_fd(const struct logdevice *);

/* Since when nothing went (clock_ms(); 0: it is fine), and why: an errno, or 0:
 * it takes nothing. */
uint64_t logdevice_since(const struct logdevice *);
int	 logdevice_error(const struct logdevice *);
bool	 logdevice_is_stuck(const struct logdevice *);

/* Whether it is time to try a stuck device again. */
bool logdevice_may_retry(const struct logdevice *, uint64_t now);

/* Writes one line to a device for which no line waits; it is not counted if the
 * device does not take it (false), which makes a stuck one fine again. */
bool logdevice_try(struct logdevice *, const char *line, size_t len,
    uint64_t now);

/* Lines dropped so far.  Any thread. */
uint64_t logdevice_dropped(const struct logdevice *, enum logdevice_kind);

#endif
