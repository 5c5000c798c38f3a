/* A page with a row for each listener or server: thousands of rows are many
 * short turns of the loop, never a long one. */
#ifndef SLUICE_CONTROL_REPORT_H
#define SLUICE_CONTROL_REPORT_H

#include "admin-internal.h"
#include "json.h"

struct report {
	const struct admin_view *view;
	struct evbuffer		*out;
	struct json		 json; /* on 'out' */
	size_t			 i, n;	/* where a part is: its own, from 0 */
	int			 width; /* of names, in text */
};

struct report_part {
	void (*begin)(struct report *); /* NULL: nothing, as is the last */
	bool (*row)(struct report *);	/* false: there is none any more */
	void (*end)(struct report *);
};

/* Replies with those parts, in order. */
void report_send(struct admin_request *, const char *type,
    const struct report_part *, size_t count);

#endif
