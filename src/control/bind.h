/* The listening sockets of a configuration: all or nothing. */
#ifndef SLUICE_CONTROL_BIND_H
#define SLUICE_CONTROL_BIND_H

#include <stddef.h>
#include <sys/types.h>

#include "config/config.h"
#include "ports.h"
#include "proxy/mail.h"

/* Opens every bind of the config that is not among the ports already: for TCP a
 * group of one socket a worker, for Unix sockets and long ranges one socket for
 * one worker.  What becomes of each socket, also of those that are not wanted any
 * more, is put into the workers' SNAPSHOT mail.  0, and then ports_commit() is
 * due, or -errno after it was logged with the place in the file and, where known,
 * who holds the port, and then ports_abort(). */
int bind_open(const struct config *, struct mail **mails, size_t nworkers,
    struct ports *);

/* At start: of the sockets that were kept for us, those of no bind are let go, so
 * that they are in nobody's way.  0, or -errno after it was logged. */
int bind_sweep(const struct config *, struct mail **mails, struct ports *);

/* A daemon that runs with the same file, 0 if there is none, and how many ports
 * of a bind it has. */
struct bind_trial {
	pid_t daemon;
	size_t held;
};

/* Whether one bind of a listener could be opened: it is bound, does not listen,
 * and is closed again; or the daemon has it.  0, or -errno after it was logged as
 * above. */
int bind_try(const struct listener_conf *, const struct bind_conf *,
    struct bind_trial *);

struct bind_told {
	void (*error)(void *, const char *line);
	void *arg;
};

/* Whether bind_open() would find all binds in place that are not among the ports
 * already, likewise.  0, or -errno after all errors were told; nothing is
 * logged. */
int bind_rehearse(const struct config *, struct ports *,
    const struct bind_told *);

/* Says which sockets of units no listener binds. */
void bind_tell_unused(const struct ports *);

/* Makes the sockets those of an account, which may remove the paths of those of
 * Unix then, and bind more to the same addresses. */
void bind_give(const struct config *, const struct ports *, uid_t, gid_t);

#endif
