/* Active checks: each server of an upstream with 'check' is asked time and
 * again, and its state follows the answers.  By the main loop. */
#ifndef SLUICE_CONTROL_HEALTH_H
#define SLUICE_CONTROL_HEALTH_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

struct server;
struct watch;

/* What the checks of a server came to. */
struct health {
	const char *check;	/* static storage: "tcp" */
	uint64_t    port;	/* that is asked; 0: the server's own */
	uint64_t    checks;	/* since the start */
	uint64_t    failures;
	uint64_t    took_us;	/* the last that was good; 0: none */
	const char *why;	/* the last was not; "": it was */
};

/* Begins with a server that is there now, and ends with it; 0 or -ENOMEM.
 * Without 'check' there is nothing to do. */
int  health_begin(struct server *, struct event_base *);
void health_end(struct server *);

/* Its upstream has another configuration; 0 or -ENOMEM.  Or one that says the
 * same: what is asked just now goes on. */
int  health_follow(struct server *, struct event_base *);
void health_keep(struct server *);

/* False: it is not checked. */
bool health_get(const struct server *, struct health *);

#endif
