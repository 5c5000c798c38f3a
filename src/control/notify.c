#include "notify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/log.h"

#define NOTIFY_TEXT 512

static int
notify_send(const struct addr *addr, const char *text, size_t len)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (sendto(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL, &addr->sa,
	    addr->len) < 0)
		error = -errno;
	close(fd);
	return error;
}

/* Sends lines of "NAME=value". */
static void
notify_say(const char *text, size_t len)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct addr addr;
	int error;

	if (path == NULL || path[0] == '\0')
		return;
	/* Anything else, as "vsock:", is not ours to speak. */
	error = path[0] == '/' || path[0] == '@' ?
	    addr_from_path(&addr, path) : -EPROTONOSUPPORT;
	if (error == 0)
		error = notify_send(&addr, text, len);
	if (error < 0)
		log_warn(error, "cannot notify the service manager");
}

static void
notify_say_status(const char *state, const char *status)
{
	char text[NOTIFY_TEXT];
	int len = snprintf(text, sizeof(text), "%sSTATUS=%s", state, status);

	/* A longer one is cut: it is for reading only. */
	if (len >= (int)sizeof(text))
		len = sizeof(text) - 1;
	notify_say(text, (size_t)len);
}

void
notify_ready(const char *status)
{
	notify_say_status("READY=1\n", status);
}

void
notify_status(const char *status)
{
	notify_say_status("", status);
}

void
notify_stopping(void)
{
	static const char text[] = "STOPPING=1";

	notify_say(text, sizeof(text) - 1);
}
