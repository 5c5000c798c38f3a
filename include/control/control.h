/* The control plane: everything that is not a session's bytes. */
#ifndef SLUICE_CONTROL_CONTROL_H
#define SLUICE_CONTROL_CONTROL_H

#include "config/config.h"

/* Runs the daemon until it is told to stop.  Takes the config over.  Returns
 * the exit code: 0 fine, 3 start failed (and said why).  Main thread. */
int control_run(struct config *);

#endif
