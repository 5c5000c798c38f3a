/* Who listens on a port or a path that we cannot have (/proc/self/net/tcp and
 * /proc/self/net/unix, proc(5)). */
#ifndef SLUICE_CONTROL_HOLDER_H
#define SLUICE_CONTROL_HOLDER_H

#include <sys/types.h>

#include "base/addr.h"

#define HOLDER_TEXT 96

struct ports;

/* Writes " (held by NAME, pid N)", without the right to look for it
 * " (held by a process of USER)", or "" when it cannot be found out.  'ours', or
 * NULL, are in nobody's way: if only they listen there, it is
 * " (held by a socket that does not listen)". */
void holder_find(const struct addr *, const struct ports *ours, char *text);

/* Whether that process is the one. */
bool holder_is(const struct addr *, pid_t);

#endif
