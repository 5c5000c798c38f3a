#include "passed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/env.h"
#include "store.h"

#define FIRST	 3 /* SD_LISTEN_FDS_START */
#define NAMELESS "unknown"

/* Those of another process are not ours, though we see its environment. */
static size_t
passed_count(void)
{
	uint64_t pid, count;

	if (!env_number("LISTEN_PID", &pid) || pid != (uint64_t)getpid() ||
	    !env_number("LISTEN_FDS", &count) || count > INT32_MAX - FIRST)
		return 0;
	return (size_t)count;
}

static void
passed_look(struct passed_socket *s)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int flags = fcntl(s->fd, F_GETFL);

	if (flags < 0) {
		s->fd = -1; /* it is not there, and will be another's */
		return;
	}
	fcntl(s->fd, F_SETFD, FD_CLOEXEC);
	if (getsockname(s->fd, (struct sockaddr *)&ss, &len) < 0)
		return;
	addr_from_sockaddr(&s->addr, (const struct sockaddr *)&ss, len);
	fcntl(s->fd, F_SETFL, flags | O_NONBLOCK);
}

/* One of the names that stand one behind the other, with colons between. */
static char *
passed_take_name(const char **names)
{
	size_t len = strcspn(*names, ":");
	char *name = len > 0 ? strndup(*names, len) : strdup(NAMELESS);

	*names += (*names)[len] == ':' ? len + 1 : len;
	return name;
}

static int
passed_read(struct passed *p, size_t count, const char *names)
{
	p->sockets = calloc(count, sizeof(*p->sockets));
	if (p->sockets == NULL)
		return -ENOMEM;
	for (; p->count < count; p->count++) {
		struct passed_socket *s = &p->sockets[p->count];

		s->fd = FIRST + (int)p->count;
		s->name = passed_take_name(&names);
		if (s->name == NULL)
			return -ENOMEM;
		passed_look(s);
	}
	return 0;
}

int
passed_init(struct passed *p)
{
	const char *names = getenv("LISTEN_FDNAMES");
	size_t count = passed_count();
	int error = 0;

	*p = (struct passed){ 0 };
	if (count > 0)
		error = passed_read(p, count, names != NULL ? names : "");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return error;
}

void
passed_done(struct passed *p)
{
	for (size_t i = 0; i < p->count; i++) {
		if (p->sockets[i].fd >= 0)
			close(p->sockets[i].fd);
		free(p->sockets[i].name);
	}
	free(p->sockets);
	*p = (struct passed){ 0 };
}

struct passed_socket *
passed_next(const struct passed *p, const char *name,
    const struct passed_socket *after)
{
	size_t i = after != NULL ? (size_t)(after - p->sockets) + 1 : 0;

	for (; i < p->count; i++)
		if (p->sockets[i].fd >= 0 &&
		    strcmp(p->sockets[i].name, name) == 0)
			return &p->sockets[i];
	return NULL;
}

static int
passed_option(int fd, int name)
{
	socklen_t len = sizeof(int);
	int value = 0;

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -1 : value;
}

bool
passed_listens(const struct passed_socket *s)
{
	return s->addr.len > 0 &&
	    passed_option(s->fd, SO_TYPE) == SOCK_STREAM &&
	    passed_option(s->fd, SO_ACCEPTCONN) == 1;
}

const char *
passed_names(const struct passed *p, char *text, size_t size)
{
	size_t len = 0;

	snprintf(text, size, "none");
	for (size_t i = 0; i < p->count && len < size; i++)
		if (!store_is_name(p->sockets[i].name))
			len += (size_t)snprintf(text + len, size - len, "%s%s",
			    len > 0 ? ", " : "", p->sockets[i].name);
	return text;
}
