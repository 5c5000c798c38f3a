/* What this machine grants us: CPUs, descriptors. */
#ifndef SLUICE_CONTROL_HOST_H
#define SLUICE_CONTROL_HOST_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

/* A descriptor of /dev/null; where there is none, of something that can be
 * neither read nor written (O_PATH, open(2)). */
int host_open_nothing(void);

/* Descriptors 0 to 2 that were closed become that, so that no socket gets one
 * of them and a stray message never enters a client's stream. */
void host_fill_standard_fds(void);

/* Has big blocks of the heap given back to the system when they are freed,
 * whatever lies around them. */
void host_return_memory(void);

/* Raises the soft limit of descriptors to the hard one and returns it, 1M at
 * most. */
uint64_t host_raise_fds(void);

/* The pipes, of two descriptors each, that one worker may have open: a
 * sixteenth of all descriptors is for pipes. */
unsigned host_max_pipes(uint64_t fds, size_t nworkers);

/* The sessions that fit, two descriptors each, after those kept for listening
 * sockets, pipes, the admin page, logs and look-ups. */
uint64_t host_max_sessions(const struct config *, uint64_t fds,
    size_t nworkers);

/* CPUs in our affinity mask, or fewer where a cgroup's quota allows less. */
size_t host_cpus(void);

#endif
