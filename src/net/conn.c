#include "net/conn.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/sock.h"

/* ET falls back to level-triggered in silence where the environment turns
 * epoll off, hence IGNORE_ENV; one thread a base, hence NOLOCK. */
struct event_base *
conn_base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;
	int error;

	if (config == NULL)
		return NULL;
	if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK |
	    EVENT_BASE_FLAG_IGNORE_ENV) == 0 &&
	    event_config_require_features(config,
	    EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE) == 0)
		base = event_base_new_with_config(config);
	error = errno;
	event_config_free(config);
	errno = error;
	return base;
}

/* libevent tells a reset as if it were data, for as long as nobody has taken
 * its error, and without EV_CLOSED: an edge with that hides none, and one that
 * comes later has an edge of its own. */
void
conn_hear(struct conn *c, short what)
{
	if (what & (EV_READ | EV_CLOSED)) {
		c->heard = !(what & EV_CLOSED);
		c->doubtful = false;
		c->readable = !c->eof;
	}
	if (what & EV_WRITE)
		c->writable = c->write_error == 0;
	/* A reset that a call has taken looks like a FIN from then on. */
	if ((what & EV_CLOSED) && c->error == 0)
		c->hung_up = true;
}

static int
conn_register(struct conn *c, struct event_base *base, event_callback_fn call,
    void *owner)
{
	if (event_assign(&c->event, base, c->fd, EV_READ | EV_WRITE |
	    EV_CLOSED | EV_ET | EV_PERSIST, call, owner) < 0 ||
	    event_add(&c->event, NULL) < 0)
		return -ENOMEM;
	return 0;
}

void
conn_hold(struct conn *c, int fd)
{
	memset(c, 0, sizeof(*c));
	c->fd = fd;
	c->open = true;
}

int
conn_open(struct conn *c, struct event_base *base, int fd,
    event_callback_fn call, void *owner)
{
	int error;

	conn_hold(c, fd);
	error = conn_register(c, base, call, owner);
	if (error < 0)
		c->open = false;
	return error;
}

static void
conn_unregister(struct conn *c)
{
	if (event_initialized(&c->event))
		event_del(&c->event);
}

int
conn_move(struct conn *to, struct event_base *base, struct conn *from,
    event_callback_fn call, void *owner)
{
	int error;

	assert(from->open);
	conn_unregister(from);
	*to = *from;
	memset(&to->event, 0, sizeof(to->event));
	memset(&from->event, 0, sizeof(from->event));
	error = conn_register(to, base, call, owner);
	if (error < 0)
		to->open = false;
	else
		from->open = false;
	return error;
}

void
conn_close(struct conn *c)
{
	if (!c->open)
		return;
	conn_unregister(c);
	close(c->fd);
	c->open = false;
}

void
conn_reset(struct conn *c)
{
	if (c->open)
		sock_reset_on_close(c->fd);
	conn_close(c);
}

/* A reset reads EPIPE only behind a FIN (tcp_reset() in CLOSE_WAIT), which may
 * have come in the same edge and would be forgotten otherwise.  Only as the
 * first error: after another, EPIPE just says that the connection is gone. */
void
conn_fail(struct conn *c, int error)
{
	if (c->error != 0)
		return;
	c->error = error;
	if (error == -EPIPE)
		c->hung_up = true;
}

bool
conn_check(struct conn *c)
{
	int error;

	if (c->heard && c->error == 0) {
		c->heard = false;
		error = sock_error(c->fd);
		if (error < 0)
			conn_fail(c, error);
	}
	return c->error != 0;
}

bool
conn_catch_up(struct conn *c)
{
	struct pollfd fd = { .fd = c->fd, .events = POLLIN | POLLOUT };
	bool in, out, news;

	if (!c->open || c->error != 0 || poll(&fd, 1, 0) <= 0)
		return false;
	in = (fd.revents & POLLIN) && !c->eof;
	out = (fd.revents & POLLOUT) && c->write_error == 0;
	news = (in && !c->readable) || (out && !c->writable);
	c->heard |= in;
	c->readable |= in;
	c->writable |= out;
	return news;
}

/* For want of memory some of the stream was not read: the FIN that was heard of
 * is behind bytes that nobody will get. */
static void
conn_fail_read(struct conn *c, int error)
{
	conn_fail(c, error);
	if (sock_is_short(error))
		c->hung_up = false;
}

/* What was heard is answered by EAGAIN or an error alone.  Data may have a
 * reset right behind it, and behind a FIN recv says 0 for ever, a reset or not:
 * both are left for conn_check(). */
size_t
conn_recv(struct conn *c, void *data, size_t size)
{
	ssize_t n;

	do
		n = recv(c->fd, data, size, 0);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		return (size_t)n;
	if (n < 0)
		c->heard = false;
	if (n == 0 && c->error == 0)
		c->eof = true;
	else if (n < 0 && errno != EAGAIN)
		conn_fail_read(c, -errno);
	c->readable = false;
	return 0;
}

void
conn_doubt(struct conn *c)
{
	if (c->hung_up || c->error != 0)
		return;
	c->doubtful = true;
	c->readable = c->heard = false;
}

void
conn_ask(struct conn *c)
{
	if (c->doubtful)
		c->heard = c->readable = true;
	c->doubtful = false;
}

/* EPIPE of a Unix socket only says that the peer reads no more: it may have
 * done shutdown(SHUT_RD) and be about to answer. */
void
conn_fail_write(struct conn *c, int error)
{
	if (error == -EPIPE && sock_is_unix(c->fd))
		c->write_error = error;
	else
		conn_fail(c, error);
}

void
conn_set_nodelay(struct conn *c)
{
	c->delays = 2;
}

void
conn_will_send(struct conn *c)
{
	if (c->delays > 0 && --c->delays == 0)
		sock_set_nodelay(c->fd);
}

size_t
conn_send(struct conn *c, const void *data, size_t len)
{
	ssize_t n;

	conn_will_send(c);
	do
		n = send(c->fd, data, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN)
		conn_fail_write(c, -errno);
	if (n < 0 || (size_t)n < len)
		c->writable = false;
	return n < 0 ? 0 : (size_t)n;
}

/* ENOTCONN: a reset was quicker, and its own error tells more. */
void
conn_shutdown(struct conn *c)
{
	int error = 0;

	if (!c->shut && shutdown(c->fd, SHUT_WR) < 0)
		error = -errno;
	if (error == -ENOTCONN && (error = sock_error(c->fd)) == 0)
		error = -ECONNRESET;
	if (error < 0)
		conn_fail_write(c, error);
	c->shut = true;
}
