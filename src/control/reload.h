/* Another configuration, without a new process.
 *
 *	load -> places -> diff -> prepare -> commit
 *	   any of these may fail: nothing    cannot fail: all memory was
 *	   has changed, and it is told why   taken, all ports are bound
 *
 * Sessions keep the configuration that they began with. */
#ifndef SLUICE_CONTROL_RELOAD_H
#define SLUICE_CONTROL_RELOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "config/diff.h"

#define RELOAD_WHY 512

struct control;

/* How they went so far; for metrics and pages. */
struct reload {
	uint64_t done, failed;
	bool	 last_failed;
	char	 why[RELOAD_WHY]; /* the first error of that; "": none */
	uint64_t last_wall; /* clock_wall() of the last that was done */
};

enum reload_result {
	RELOAD_SAME,	/* nothing is different */
	RELOAD_DONE,	/* or would be, if it were not dry */
	RELOAD_FAILED,
};

/* Who is told, besides the log: each error as one line; or each warning, and then
 * each difference and how many live sessions of that listener or upstream there
 * are.  Any may be NULL. */
struct reload_told {
	void (*error)(void *, const char *line);
	void (*warning)(void *, const char *line);
	void (*differs)(void *, const struct diff *, uint64_t sessions);
	void *arg;
};

/* One difference as people read it: "upstream db: connect_timeout 5s -> 2s".
 * Returns 'text'. */
#define RELOAD_CHANGE 1024
const char *reload_change_text(const struct diff *, char *text, size_t size);

/* What the configuration in use says and the process does not do before it is
 * started anew. */
void reload_tell_restart(const struct control *, diff_tell *, void *arg);

/* 'dry': up to the diff, with ports that are new only tried, and nothing is
 * logged.  'path': of another file, or
 * NULL; only if dry. */
enum reload_result reload_run(struct control *, bool dry, const char *path,
    const struct reload_told *);

#endif
