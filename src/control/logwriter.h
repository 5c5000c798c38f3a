/* Where messages and close records go, and the only thread that may wait for a
 * log device.  It takes close records from the workers' rings and messages from
 * everybody.
 *
 *	logwriter_open -> logwriter_start -> logwriter_ready -> logwriter_stop
 *	  written at once	queued, the thread writes	*/
#ifndef SLUICE_CONTROL_LOGWRITER_H
#define SLUICE_CONTROL_LOGWRITER_H

#include <sys/types.h>

#include "config/config.h"
#include "spool.h"

/* Opens the devices that log and access_log name and becomes the sink of
 * log_*(), which writes at once.  'daemon': log, unless it is set, is syslog.
 * Errors and warnings are said on stderr too, wherever log goes.  Called once,
 * by the process that stays, before rights are given up.  0, or -errno once it
 * is said which option and path it is; then the sink is as before. */
int logwriter_open(const struct config *, bool daemon);

/* Log files that were not there before become those of the account that will
 * have to open them anew. */
void logwriter_give(uid_t, gid_t);

/* Starts the thread: from here on nobody waits for a device. 0 or -errno. */
int logwriter_start(struct shared *);

/* The daemon is up: stderr is no longer told what goes elsewhere. */
void logwriter_ready(void);

/* Somebody has asked for something: what it is answered is said, even if it was
 * a moment ago.  Any thread. */
void logwriter_answers(void);

/* Opens log files anew, by the thread if it runs; any time after open.  One
 * that cannot be opened is said, and the old file goes on being written. */
void logwriter_reopen(void);

/* What leads from one configuration's log options to the other's, its devices
 * open; NULL: nothing does.  0, or -errno and 'why' (LOGPLAN_WHY bytes). */
int logwriter_prepare(const struct config *before, const struct config *after,
    struct logplan **, char *why);

/* Has the thread carry it out, which is owned and may be NULL.  No line is
 * lost, and none is written twice: the old devices are emptied and closed. */
void logwriter_commit(struct logplan *);

/* Called by the thread with each message and record, first as logfmt and then
 * as one JSON object (no newline); it must not block or log.  Records are made
 * while there is a tap, even with access_log off.  NULL ends it; one last call
 * may still be under way. */
void logwriter_set_tap(spool_tap *);

/* Messages or records that never reached their device: it was stuck or gone,
 * or more came than it took.  Any thread, between start and stop. */
uint64_t logwriter_dropped(enum logdevice_kind);

/* Writes what is left, for 1 s at most (a stuck device must not hold up the
 * exit), and gives the sink back.  False: the thread is still stuck there, and
 * uses the rings. */
bool logwriter_stop(void);

#endif
