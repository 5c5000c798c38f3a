/* Who listens on a port or a path that we cannot have (/proc/self/net/tcp and
 * /proc/self/net/unix, proc(5)). */
#ifndef SLUICE_CONTROL_HOLDER_H
#define SLUICE_CONTROL_HOLDER_H

#include "base/addr.h"

#define HOLDER_TEXT 96

/* Writes " (held by NAME, pid N)", without the right to look for it
 * " (held by a process of USER)", or "" when it cannot be found out. */
void holder_find(const struct addr *, char *text);

#endif
