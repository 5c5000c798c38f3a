/* Sockets that there are before we start: those of socket units, and those that
 * were kept for us. */
#include "bind-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "net/sock.h"
#include "store.h"

#define NAMES_TEXT 256
#define WHY_TEXT   (NAMES_TEXT + 384)

/* --- of socket units */

/* Its backlog is the unit's, unless ours is given. */
static void
passed_tune(const struct binding *b, int fd)
{
	struct sock_listen opts = b->options.listen;
	int error;

	if (b->listener->backlog == 0)
		opts.backlog = SOCK_BACKLOG_KEPT;
	error = sock_retune(fd, &opts);
	if (error < 0)
		log_warn(error, "listener %s: options of %s are not set",
		    b->listener->name, b->bind->text);
}

/* The unit's own stays where it is. */
static int
passed_give(struct binding *b, const struct passed_socket *s)
{
	size_t worker = b->turn++ % b->nworkers;
	char where[ADDR_TEXT], why[WHY_TEXT];
	struct mail *mail = b->mails[worker];
	int fd, error;

	if (!passed_listens(s)) {
		snprintf(why, sizeof(why), "%s is %s, no stream socket that "
		    "listens", b->bind->text, addr_text(&s->addr, where));
		bind_complain(b, 0, why);
		return -EINVAL;
	}
	fd = fcntl(s->fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (fd < 0)
		return bind_complain(b, -errno, b->bind->text);
	passed_tune(b, fd);
	error = bind_add(b, worker, fd);
	if (error < 0)
		return bind_complain(b, error, b->bind->text);
	mail->fds[mail->nfds - 1].shared = true;
	log_info("listener %s: %s is %s", b->listener->name, b->bind->text,
	    addr_text(&s->addr, where));
	return 0;
}

static int
passed_missing(const struct binding *b)
{
	char names[NAMES_TEXT], why[WHY_TEXT];

	passed_names(&b->ports->passed, names, sizeof(names));
	snprintf(why, sizeof(why), "systemd passed no socket of the name '%s' "
	    "(FileDescriptorName= of a socket unit; there were: %s)",
	    b->bind->passed, names);
	bind_complain(b, 0, why);
	return -ENOENT;
}

static int
passed_take(struct binding *b, const struct port_key *key)
{
	const struct passed_socket *s = NULL;
	int error = 0;

	b->port = ports_add(b->ports, key, b->listener);
	if (b->port == NULL)
		return bind_complain(b, -ENOMEM, b->bind->text);
	while (error == 0 && (s = passed_next(&b->ports->passed,
	    b->bind->passed, s)) != NULL)
		error = passed_give(b, s);
	return error;
}

int
bind_passed(struct binding *b)
{
	struct port_key key;
	struct port *known;

	if (b->mails == NULL || b->looks)
		return 0;
	port_key_init(&key, b->listener, b->bind, &b->bind->addr);
	known = ports_find(b->ports, &key);
	if (known != NULL)
		return ports_keep(known, b->listener, b->mails);
	if (passed_next(&b->ports->passed, b->bind->passed, NULL) == NULL)
		return passed_missing(b);
	return passed_take(b, &key);
}

static bool
port_is_passed(const struct ports *ports, const char *name)
{
	const struct port *port;

	TAILQ_FOREACH(port, &ports->list, link)
		if (port_passed(port) != NULL &&
		    strcmp(port_passed(port), name) == 0)
			return true;
	return false;
}

void
bind_tell_unused(const struct ports *ports)
{
	char where[ADDR_TEXT];

	for (size_t i = 0; i < ports->passed.count; i++) {
		const struct passed_socket *s = &ports->passed.sockets[i];

		if (!store_is_name(s->name) &&
		    !port_is_passed(ports, s->name))
			log_warn(0, "systemd passed '%s' (%s), which no "
			    "listener binds: its clients wait for nobody",
			    s->name, addr_text(&s->addr, where));
	}
}

/* --- that were kept for us */

/* A path may have been removed, and then nobody finds the socket any more. */
static bool
stored_can_be_found(const struct addr *addr)
{
	struct stat st;

	return addr->sa.sa_family != AF_UNIX ||
	    addr->un.sun_path[0] == '\0' ||
	    (lstat(addr->un.sun_path, &st) == 0 && S_ISSOCK(st.st_mode));
}

/* One that a reload was about to let go is left behind. */
static bool
stored_fits(const struct passed_socket *s, const struct addr *addr)
{
	struct addr wanted = *addr;

	if (addr_port(addr) == 0)
		addr_set_port(&wanted, addr_port(&s->addr));
	return addr_equal(&s->addr, &wanted) && stored_can_be_found(addr) &&
	    !sock_is_hidden(s->fd);
}

/* The next that was kept for the address, behind one or NULL; or NULL. */
static struct passed_socket *
stored_next(const struct binding *b, const struct addr *addr,
    struct passed_socket *s)
{
	const struct passed *passed = &b->ports->passed;
	char name[STORE_NAME];
	struct port_key key;

	port_key_init(&key, b->listener, b->bind, addr);
	if (passed->count == 0 || !store_name(&key, name))
		return NULL;
	while ((s = passed_next(passed, name, s)) != NULL)
		if (stored_fits(s, addr))
			return s;
	return NULL;
}

void
bind_want_stored(const struct binding *b, const struct addr *addr)
{
	struct passed_socket *s = NULL;

	while ((s = stored_next(b, addr, s)) != NULL)
		s->wanted = true;
}

bool
bind_is_stored(const struct binding *b, uint16_t number)
{
	const struct passed *passed = &b->ports->passed;

	for (size_t i = 0; i < passed->count; i++)
		if (passed->sockets[i].wanted &&
		    addr_port(&passed->sockets[i].addr) == number)
			return true;
	return false;
}

/* Who had it before us may have ended just as it was to hear nobody any more. */
static void
stored_tune(const struct binding *b, int fd)
{
	int error = sock_retune(fd, &b->options.listen);

	sock_undeafen(fd);
	sock_stand_alone(fd, false);
	if (error < 0)
		log_warn(error, "listener %s: options of %s are not set anew",
		    b->listener->name, b->bind->text);
}

/* As many as there are, for as many workers as there are now: a group does not
 * grow, and none of it is closed. */
int
bind_stored(struct binding *b, const struct addr *addr)
{
	struct passed_socket *s = NULL;
	int count = 0, error = 0;

	while (error == 0 && (s = stored_next(b, addr, s)) != NULL) {
		int fd = s->fd;

		s->fd = -1;
		stored_tune(b, fd);
		error = bind_add(b, b->turn++ % b->nworkers, fd);
		count++;
	}
	if (error == 0 && count > 0 && addr->sa.sa_family == AF_UNIX)
		error = bound_add(&b->ports->bound, addr);
	if (count > 0)
		b->port->stored = true;
	return error < 0 ? error : count;
}
