/* Memory for libevent when there is none.
 *
 * Its HTTP server (2.1) crashes where a small allocation fails, and the
 * sessions would go with it.  So the thread that opens the reserve gets those
 * from here when malloc(3) says no; large ones, the buffers, fail as ever,
 * which is survived and counted. */
#ifndef SLUICE_CONTROL_RESERVE_H
#define SLUICE_CONTROL_RESERVE_H

#include <stdbool.h>
#include <stdint.h>

/* Before libevent's first allocation. 0 or -ENOMEM. */
int reserve_init(void);

/* For the calling thread, and the memory that is its own alone. */
void reserve_open(void);

/* Whether some of it is in use and malloc(3) still has nothing: no time to begin
 * something new. */
bool reserve_is_needed(void);

/* How many allocations of this thread failed all the same: something is missing
 * from what was made while this changed. */
uint64_t reserve_failures(void);

#endif
