#include "base/line.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *
line_alloc(size_t size)
{
	void *p;

	if (size > SIZE_MAX - LINE)
		return NULL;
	size = size == 0 ? LINE : (size + LINE - 1) & ~(size_t)(LINE - 1);
	p = aligned_alloc(LINE, size);
	if (p != NULL)
		memset(p, 0, size);
	return p;
}
