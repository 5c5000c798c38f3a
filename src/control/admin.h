/* The daemon's own page: status for people at /, /healthz for machines. */
#ifndef SLUICE_CONTROL_ADMIN_H
#define SLUICE_CONTROL_ADMIN_H

#include <event2/event.h>

#include "crew.h"
#include "resolver.h"

struct admin;

/* Serves on config->global.admin_addr by the main loop. NULL after the reason
 * was logged. */
struct admin *admin_new(struct event_base *, const struct config *,
    struct crew *, const struct resolver *);
void admin_free(struct admin *); /* NULL is fine */

#endif
