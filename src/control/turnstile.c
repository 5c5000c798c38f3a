#include "turnstile.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS	  10
#define WAITS_MAX 500

static socklen_t
turnstile_address(struct sockaddr_un *un)
{
	int len;

	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	len = snprintf(un->sun_path + 1, sizeof(un->sun_path) - 1,
	    "sluice-binds-%u", (unsigned)geteuid());
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
	    (size_t)len);
}

int
turnstile_enter(void)
{
	const struct timespec pause = { .tv_nsec = WAIT_MS * 1000000L };
	struct sockaddr_un un;
	socklen_t len = turnstile_address(&un);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	for (int i = 0; fd >= 0 && i < WAITS_MAX; i++) {
		if (bind(fd, (struct sockaddr *)&un, len) == 0)
			return fd;
		if (errno != EADDRINUSE)
			break;
		nanosleep(&pause, NULL);
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

void
turnstile_leave(int fd)
{
	if (fd >= 0)
		close(fd);
}
