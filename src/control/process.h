/* What the kernel says of this process. */
#ifndef SLUICE_CONTROL_PROCESS_H
#define SLUICE_CONTROL_PROCESS_H

#include <stdint.h>

/* What cannot be found out (no /proc, proc(5)) is 0. */
struct process {
	uint64_t cpu_us; /* of user and kernel */
	uint64_t resident_bytes;
	uint64_t virtual_bytes;
	uint64_t fds;
	uint64_t max_fds;
	uint64_t local_ports; /* that connect(2) chooses from (ip(7)) */
};

void process_look(struct process *);

#endif
