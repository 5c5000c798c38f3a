/* pid_file: says who runs, and keeps a second daemon from starting. */
#ifndef SLUICE_CONTROL_PIDFILE_H
#define SLUICE_CONTROL_PIDFILE_H

#include "config/config.h"

/* Creates and locks the config's pid_file, empty as yet.  The fd, 0 when the
 * config names none, or -errno after it was logged: another daemon holds it,
 * or no right to. */
int pidfile_open(const struct config *);

/* Writes our pid; the caller is ready. 0 or -errno. */
int pidfile_write(int fd);

/* Removes the file that was opened; where the directory is not ours any more,
 * empties it. 0 and -errno are fine. */
void pidfile_close(const char *path, int fd);

#endif
