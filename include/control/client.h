/* 'sluice ctl': the running daemon, seen and changed from a terminal. */
#ifndef SLUICE_CONTROL_CLIENT_H
#define SLUICE_CONTROL_CLIENT_H

#include <stdbool.h>

#include "config/config.h"

/* Does what the arguments say ('argv[0]' is what messages begin with) and
 * returns the exit code: 0 fine, 1 usage, or the daemon refuses, 3 there is no
 * daemon to be reached, or it went away. */
int client_run(int argc, char **argv);

/* 'sluice -t --diff': says what the running daemon, which is found by the
 * config's admin_socket, would change if it read that file.  The exit code: 0
 * nothing, 2 something, 1 it would not take it, 3 as above. */
int client_diff(const struct config *);

/* Whether 'ctl' has such a command. */
bool client_knows(const char *command);

#endif
