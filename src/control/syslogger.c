#include "syslogger.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

int
syslogger_open(void)
{
	const struct sockaddr_un to = { AF_UNIX, _PATH_LOG };
	int error, fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

static void
syslogger_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int
syslogger_try(int *fd, const char *line, size_t len)
{
	int error;

	if (*fd < 0) {
		error = syslogger_open();
		if (error < 0)
			return error;
		*fd = error;
	}
	return send(*fd, line, len, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* A logger that ended leaves us connected to nobody; its successor has another
 * socket in the same place. */
int
syslogger_send(int *fd, const char *line, size_t len)
{
	int error = syslogger_try(fd, line, len);

	if (error == 0 || error == -EAGAIN || error == -ENOBUFS)
		return error;
	syslogger_close(fd);
	error = syslogger_try(fd, line, len);
	if (error < 0 && error != -EAGAIN && error != -ENOBUFS)
		syslogger_close(fd);
	return error;
}
