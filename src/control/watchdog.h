/* WatchdogSec= (systemd.service(5)): systemd hears that all is well for as long
 * as every worker turns, and kills who has said nothing for that time. */
#ifndef SLUICE_CONTROL_WATCHDOG_H
#define SLUICE_CONTROL_WATCHDOG_H

#include <event2/event_struct.h>
#include <stdint.h>

struct pulse;

struct watchdog {
	struct pulse *pulse;
	struct event  timer;
	uint64_t      since; /* clock_ms() when it was last told */
};

/* Begins, if $WATCHDOG_USEC and $WATCHDOG_PID ask us for it, and goes on while
 * the loop runs; the pulse must be there for as long.  0 or -ENOMEM. */
int watchdog_start(struct watchdog *, struct event_base *, struct pulse *);

#endif
