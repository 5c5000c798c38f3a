/* Where systemd keeps our listening sockets (FileDescriptorStoreMax=,
 * systemd.service(5)), so that clients of a service that is started again wait
 * in their queues meanwhile, and none is refused.
 *
 * All sockets of a port have one name there, which says what they were bound to:
 * those of a port that is bound otherwise by then are not found. */
#ifndef SLUICE_CONTROL_STORE_H
#define SLUICE_CONTROL_STORE_H

#include <stdbool.h>
#include <stddef.h>

#define STORE_NAME 256 /* FDNAME= has at most 255 bytes (sd_notify(3)) */

struct passed;
struct port;
struct port_key;

/* What the sockets of a port are called; false: too long, none are kept. */
bool store_name(const struct port_key *, char *name);

/* Whether it is a name of that kind. */
bool store_is_name(const char *name);

/* Has the sockets of a port kept.  0, or -errno: some are not. */
int store_keep(const struct port *);

/* Has them kept no more.  0, or -errno: they are until the next start. */
int store_forget(const struct port *);

/* Of those that were passed, lets go who is not wanted, and waits a moment for
 * that to have happened: their addresses may be wanted. */
void store_sweep(struct passed *);

#endif
