/* Where the admin server is reached: opened while we may, before the daemon
 * becomes nobody special. */
#ifndef SLUICE_CONTROL_ADMIN_SOCKET_H
#define SLUICE_CONTROL_ADMIN_SOCKET_H

#include <sys/types.h>

#include "config/config.h"
#include "identity.h"

#define ADMIN_SOCKET_FILE "sluice.sock"
#define ADMIN_SOCKET_DIR  "/run/sluice" /* root's */

struct admin_sockets {
	int	    tcp_fd, unix_fd; /* -1: none */
	struct addr tcp_at;	     /* with the port it got */
	struct addr unix_at;
	dev_t	    dev; /* of the path, to know it again */
	ino_t	    ino;
};

/* Opens what 'admin' and 'admin_socket' name; the path is given to that user
 * and to admin_group, else to that user's group, for both to read and write.
 * 0, or -errno after it was logged. */
int admin_sockets_open(struct admin_sockets *, const struct config *,
    const struct identity *);

/* Whether that would find everything free, or that process's (0: nobody's), and
 * in place, without listening: 0, or the first -errno after all were logged. */
int admin_sockets_try(const struct config *, const struct identity *,
    pid_t daemon);

/* And the path goes, if it is ours still. */
void admin_sockets_close(struct admin_sockets *);

/* Writes the path that 'auto' means for this user, or where 'ctl' looks for it,
 * and returns true; false: $XDG_RUNTIME_DIR would be needed and is not set. */
bool admin_socket_auto(char *path, size_t size);

#endif
