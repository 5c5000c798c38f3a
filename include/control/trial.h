/* -t --resolve. */
#ifndef SLUICE_CONTROL_TRIAL_H
#define SLUICE_CONTROL_TRIAL_H

#include <stdio.h>

#include "config/config.h"

/* Whether the daemon could start here and now: resolves the names of all
 * upstreams, finds the accounts, binds every listener and the admin address
 * without listening, and lets go of them.  Says on 'out' what is fine, and on
 * stderr, with its place in the file, what is not.  Waits for name servers.
 * Returns the exit code: 0 fine, 1 a name does not resolve, 3 the names are
 * fine but a start would fail. */
int trial_run(FILE *out, const struct config *);

#endif
