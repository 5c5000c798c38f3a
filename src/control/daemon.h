/* -d: into the background, once it is known whether the start succeeded. */
#ifndef SLUICE_CONTROL_DAEMON_H
#define SLUICE_CONTROL_DAEMON_H

#include <stdbool.h>

/* Forks, before there is any thread or event base.  True in the child, in a
 * session of its own, with *ready_fd to pass to daemon_ready().  False in the
 * parent, after the child is ready or has ended, with the exit *code. */
bool daemon_fork(int *ready_fd, int *code);

/* Lets the parent exit with 0 and leaves the terminal: descriptors 0 and 1,
 * and 2 unless it holds the log, become /dev/null. */
void daemon_ready(int ready_fd, bool keep_stderr);

#endif
