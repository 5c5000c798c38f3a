/* Whether the daemon's user reaches the files that root started it with, once
 * they are to be opened anew. */
#ifndef SLUICE_CONTROL_REACH_H
#define SLUICE_CONTROL_REACH_H

#include "config/config.h"

struct identity;

/* Warns of each file that this process, which is that user by now, may not open
 * again: the configuration, what it includes, the lists of allow and deny, the
 * logs. */
void reach_warn(const struct config *, const struct identity *);

/* Likewise for -t, where root only tests: a process of its own becomes the user
 * and warns.  Nobody else has to ask. */
void reach_test(const struct config *);

#endif
