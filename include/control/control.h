/* The control plane: everything that is not a session's bytes. */
#ifndef SLUICE_CONTROL_CONTROL_H
#define SLUICE_CONTROL_CONTROL_H

#include <stdbool.h>

#include "config/config.h"

/* Runs the daemon until it is told to stop.  Takes the config over; what it was
 * read from, whose texts must last, is read again for a reload.  Returns
 * the exit code: 0 fine, 3 start failed (and said why).  Main thread.
 * 'background' goes into a process of its own, and returns the code of its
 * start as soon as that is known. */
int control_run(struct config *, const struct config_source *,
    bool background);

/* How many workers that would have, on this machine. */
size_t control_workers(const struct config *);

#endif
