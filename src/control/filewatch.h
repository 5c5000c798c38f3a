/* Files that somebody else changes, seen by looking at them now and then: that
 * works for those that are replaced, mounted over or not there, too. */
#ifndef SLUICE_CONTROL_FILEWATCH_H
#define SLUICE_CONTROL_FILEWATCH_H

#include <event2/event.h>

struct filewatch;

/* Calls 'changed' within 2 s after one of the files has; 'paths' (ended by
 * NULL) have to outlive it.  NULL without memory. */
struct filewatch *filewatch_new(struct event_base *, const char *const *paths,
    void (*changed)(void *), void *arg);
void filewatch_free(struct filewatch *); /* NULL is fine */

#endif
