/* Moving bytes through user space. */
#ifndef SLUICE_PROXY_RELAY_COPY_H
#define SLUICE_PROXY_RELAY_COPY_H

#include <stddef.h>

struct relay;
struct worker;

/* As relay_pump(), without the end of the stream. */
int relay_copy(struct relay *, struct worker *, size_t budget);

#endif
