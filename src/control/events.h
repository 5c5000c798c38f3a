/* What is logged, as it happens, for whoever watches /api/events.  A watcher
 * that is slower than the log loses lines, and is told how many. */
#ifndef SLUICE_CONTROL_EVENTS_H
#define SLUICE_CONTROL_EVENTS_H

#include <event2/event.h>

/* From here on there may be watchers.  0 or -errno. */
int events_open(struct event_base *);

/* Watchers get what there is, and then their end. */
void events_end(void);

/* Once nobody watches any more.  Not open is fine. */
void events_close(void);

#endif
