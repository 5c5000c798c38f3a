#include "running.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin_socket.h"

#define PATH_TEXT 256

static pid_t
running_at(const struct addr *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ucred who = { 0 };
	socklen_t len = sizeof(who);

	if (fd < 0)
		return 0;
	if (connect(fd, &addr->sa, addr->len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
		who.pid = 0;
	close(fd);
	return who.pid;
}

static pid_t
running_by_socket(const char *path)
{
	char chosen[PATH_TEXT];
	struct addr addr;

	if (path == NULL)
		return 0;
	if (strcmp(path, "auto") == 0) {
		if (!admin_socket_auto(chosen, sizeof(chosen)))
			return 0;
		path = chosen;
	}
	return addr_from_path(&addr, path) < 0 ? 0 : running_at(&addr);
}

/* As pidfile.c locks it; the lock of a description is nobody's (fcntl(2)), so
 * that the text has to say whose. */
static pid_t
running_by_file(const char *path)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char text[16] = "";
	long pid = 0;
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC |
	    O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return 0;
	if (fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK &&
	    pread(fd, text, sizeof(text) - 1, 0) > 0)
		pid = strtol(text, NULL, 10);
	close(fd);
	return pid > 0 ? (pid_t)pid : 0;
}

pid_t
running_find(const struct config *config)
{
	pid_t pid = running_by_socket(config->global.admin_socket);

	return pid != 0 ? pid : running_by_file(config->global.pid_file);
}
