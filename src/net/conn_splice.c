#include "net/conn_splice.h"

#include <errno.h>
#include <fcntl.h>

#include "net/conn.h"

static ssize_t
conn_splice(int from, int to, size_t len)
{
	ssize_t n;

	do
		n = splice(from, NULL, to, NULL, len,
		    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	while (n < 0 && errno == EINTR);
	return n;
}

/* What splice(2) says when it cannot do it, of which the connection knows
 * nothing; any other error is the connection's, and taken from it. */
static bool
is_own_error(int error)
{
	return error == EAGAIN || error == EINVAL || error == ENOMEM ||
	    error == ENOSYS || error == EPERM;
}

size_t
conn_splice_from(struct conn *c, int pipe, size_t most)
{
	ssize_t n = conn_splice(c->fd, pipe, most);

	if (n < 0 && !is_own_error(errno))
		conn_fail(c, -errno);
	return n < 0 ? 0 : (size_t)n;
}

size_t
conn_splice_to(struct conn *c, int pipe, size_t len)
{
	ssize_t n;

	conn_will_send(c);
	n = conn_splice(pipe, c->fd, len);
	if (n > 0)
		return (size_t)n;
	c->writable = false;
	if (n == 0)
		conn_fail(c, -EIO);
	else if (errno != EAGAIN)
		conn_fail_write(c, -errno);
	return 0;
}
