/* The only thread that may wait for a log device. It takes close records from
 * the workers' rings and lines from everybody, and writes them to stderr. */
#ifndef SLUICE_CONTROL_LOGWRITER_H
#define SLUICE_CONTROL_LOGWRITER_H

#include "proxy/worker.h"

/* Starts the thread and takes over as sink of log_*(). 0 or -errno. */
int logwriter_start(struct shared *);

/* Writes what is left, for 1 s at most (a stuck device must not hold up the
 * exit), and gives the sink back. False: the thread is still stuck there, and
 * uses the rings. */
bool logwriter_stop(void);

#endif
