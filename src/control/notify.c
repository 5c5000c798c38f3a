#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/log.h"

#define NOTIFY_TEXT 512
#define PATIENCE_MS 100 /* for what must not be lost */

/* What is said: lines of "NAME=value", and descriptors that come with them. */
struct notice {
	const char *text;
	size_t	    len; /* NOTIFY_TEXT at most */
	const int  *fds;
	size_t	    count;
	int	    patience_ms;
};

static ssize_t
notify_send_once(int fd, const struct notice *n)
{
	char space[CMSG_SPACE(NOTIFY_FDS * sizeof(int))] = { 0 };
	char text[NOTIFY_TEXT];
	struct iovec iov = { text, n->len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *head;

	memcpy(text, n->text, n->len);
	if (n->count > 0) {
		msg.msg_control = space;
		msg.msg_controllen = CMSG_SPACE(n->count * sizeof(int));
		head = CMSG_FIRSTHDR(&msg);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(n->count * sizeof(int));
		memcpy(CMSG_DATA(head), n->fds, n->count * sizeof(int));
	}
	return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int
notify_send(int fd, const struct notice *n)
{
	struct pollfd takes = { fd, POLLOUT, 0 };

	while (notify_send_once(fd, n) < 0)
		if (errno != EAGAIN ||
		    poll(&takes, 1, n->patience_ms) <= 0)
			return -errno;
	return 0;
}

static int
notify_connect(const struct addr *addr, const struct notice *n)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -errno;
	error = connect(fd, &addr->sa, addr->len) < 0 ? -errno :
	    notify_send(fd, n);
	close(fd);
	return error;
}

static int
notify_say_notice(const struct notice *n)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct addr addr;
	int error;

	if (path == NULL || path[0] == '\0')
		return 0;
	/* Anything else, as "vsock:", is not ours to speak. */
	error = path[0] == '/' || path[0] == '@' ?
	    addr_from_path(&addr, path) : -EPROTONOSUPPORT;
	if (error == 0)
		error = notify_connect(&addr, n);
	if (error < 0)
		log_warn(error, "cannot notify the service manager");
	return error;
}

static int
notify_say(const char *text, size_t len)
{
	const struct notice n = { .text = text, .len = len };

	return notify_say_notice(&n);
}

int
notify_fds(const char *text, const int *fds, size_t count)
{
	const struct notice n = { .text = text, .len = strlen(text),
		.fds = fds, .count = count, .patience_ms = PATIENCE_MS };

	return notify_say_notice(&n);
}

/* The manager closes its end when it comes to this (sd_notify_barrier(3)). */
int
notify_barrier(int timeout_ms)
{
	struct pollfd gone;
	int fds[2], error;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	error = notify_fds("BARRIER=1", &fds[1], 1);
	close(fds[1]);
	gone = (struct pollfd){ fds[0], 0, 0 };
	if (error == 0 && poll(&gone, 1, timeout_ms) <= 0)
		error = -ETIMEDOUT;
	close(fds[0]);
	return error;
}

static int
notify_say_status(const char *state, const char *status)
{
	char text[NOTIFY_TEXT];
	int len = snprintf(text, sizeof(text), "%sSTATUS=%s", state, status);

	/* A longer one is cut: it is for reading only. */
	if (len >= (int)sizeof(text))
		len = sizeof(text) - 1;
	return notify_say(text, (size_t)len);
}

int
notify_ready(const char *status)
{
	return notify_say_status("READY=1\n", status);
}

void
notify_status(const char *status)
{
	notify_say_status("", status);
}

void
notify_reloading(void)
{
	char text[NOTIFY_TEXT];
	int len = snprintf(text, sizeof(text), "RELOADING=1\n"
	    "MONOTONIC_USEC=%" PRIu64, clock_us());

	notify_say(text, (size_t)len);
}

void
notify_alive(void)
{
	static const char text[] = "WATCHDOG=1";

	notify_say(text, sizeof(text) - 1);
}

void
notify_stopping(void)
{
	static const char text[] = "STOPPING=1";

	notify_say(text, sizeof(text) - 1);
}
