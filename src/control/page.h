/* The status page's two halves: page_head.c and page.c. */
#ifndef SLUICE_CONTROL_PAGE_H
#define SLUICE_CONTROL_PAGE_H

#include "report.h"

/* Text between tags or in an attribute: everything that is shown and is not
 * ours goes through this. */
void page_text(struct evbuffer *, const char *);

/* "12,345". */
void page_number(struct evbuffer *, uint64_t);

/* From the first byte to the tables. */
void page_head(struct report *);

#endif
