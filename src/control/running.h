/* The daemon that runs with a configuration already. */
#ifndef SLUICE_CONTROL_RUNNING_H
#define SLUICE_CONTROL_RUNNING_H

#include <sys/types.h>

#include "config/config.h"

/* Its process: who listens at admin_socket (SO_PEERCRED, unix(7)), or else whom
 * pid_file names, where that is locked.  0: nobody, or nobody that can be
 * found. */
pid_t running_find(const struct config *);

#endif
