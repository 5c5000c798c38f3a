/* Where the log is to go from now on: main makes the plan and opens what is not
 * open yet, which may fail; who writes the log carries it out, which cannot. */
#ifndef SLUICE_CONTROL_LOGPLAN_H
#define SLUICE_CONTROL_LOGPLAN_H

#include <sys/queue.h>

#include "outlet.h"

#define LOGPLAN_WHY 1024

/* What a configuration says of it. */
struct logwant {
	const struct log_target *log;
	const struct log_target *access;  /* of its own; NULL: it has none */
	bool			 records; /* there is an access log */
	enum log_format		 format;
};

/* An outlet that gets no more lines and is closed once it is empty. */
struct leaving {
	SLIST_ENTRY(leaving) link;
	struct outlet	     outlet;
};
SLIST_HEAD(leaving_list, leaving);

struct logplan {
	struct logplan	  *before; /* owned: one that comes first */
	uint64_t	   time;   /* clock_wall(): for what is said later */
	struct logwant	   want;   /* its targets are 'targets' */
	struct log_target  targets[2]; /* with paths that are owned */
	struct logdevice  *opened[2];  /* owned: log, access; or NULL: one that
					  is open is meant */
	struct leaving	  *spare[2];   /* owned: for who has to leave */
};

/* 'daemon': log, unless it is set, is syslog. */
void logplan_want(const struct config *, bool daemon, struct logwant *);

bool log_target_is(const struct log_target *, const struct log_target *);

/* Makes a plan that leads from one configuration to the other, or NULL: there
 * is nothing to do.  0, or -errno and 'why' (LOGPLAN_WHY bytes). */
int  logplan_new(const struct config *before, const struct config *after,
     bool daemon, struct logplan **, char *why);
void logplan_free(struct logplan *); /* and what it still owns; NULL is fine */

#endif
