/* Cache lines.  What one thread writes often must not lie beside what another
 * reads or writes: each write would take the line away from the other. */
#ifndef SLUICE_BASE_LINE_H
#define SLUICE_BASE_LINE_H

#include <stdalign.h>
#include <stddef.h>

#define LINE 64

/* Zeroed memory on cache lines that hold nothing else, also for a size of 0;
 * NULL without memory.  free(3) takes it. */
void *line_alloc(size_t size);

#endif
