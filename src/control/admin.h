/* The daemon's own page: status for people at /, /healthz for machines. */
#ifndef SLUICE_CONTROL_ADMIN_H
#define SLUICE_CONTROL_ADMIN_H

#include <event2/event.h>

#include "crew.h"
#include "resolver.h"

struct admin;

/* A socket on config->global.admin_addr, or -errno after it was logged. */
int admin_bind(const struct config *);

/* Serves on that socket by the main loop. NULL without memory, and then the
 * socket is still the caller's. */
struct admin *admin_new(struct event_base *, int fd, const struct config *,
    struct crew *, const struct resolver *);
void admin_free(struct admin *); /* NULL is fine */

#endif
