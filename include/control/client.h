/* 'sluice ctl': the running daemon, seen and changed from a terminal. */
#ifndef SLUICE_CONTROL_CLIENT_H
#define SLUICE_CONTROL_CLIENT_H

#include <stdbool.h>

/* Does what the arguments say ('argv[0]' is what messages begin with) and
 * returns the exit code: 0 fine, 1 usage, or the daemon refuses, 3 there is no
 * daemon to be reached, or it went away. */
int client_run(int argc, char **argv);

/* Whether 'ctl' has such a command. */
bool client_knows(const char *command);

#endif
