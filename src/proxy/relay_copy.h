/* Moving bytes through user space. */
#ifndef SLUICE_PROXY_RELAY_COPY_H
#define SLUICE_PROXY_RELAY_COPY_H

#include <stddef.h>

struct relay;
struct worker;

/* One read of up to 'most' bytes, and what of it goes at once; the rest is
 * pending in a spill.  Sets how many bytes were read.  0, or -ENOMEM: some of
 * them have no place. */
int relay_copy(struct relay *, struct worker *, size_t most, size_t *moved);

/* Sends what goes of the spill, which is gone when it is empty. */
void relay_copy_flush(struct relay *, struct worker *);

#endif
