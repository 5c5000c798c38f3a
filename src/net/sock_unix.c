/* The paths of Unix sockets: is one in use, or was it only left behind? */
#include "sock-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FD_PATH 32 /* "/proc/self/fd/2147483647" */

/* 0: somebody listens; -ECONNREFUSED: nobody does; or another -errno. */
static int
sock_ask(const struct addr *addr)
{
	int error, fd = sock_new_of(addr->sa.sa_family, 0);

	if (fd < 0)
		return fd;
	error = connect(fd, &addr->sa, addr->len) < 0 ? -errno : 0;
	close(fd);
	return error;
}

/* By this descriptor it cannot become a link meanwhile. */
static int
sock_ask_as_owner(const struct addr *addr, int fd, const struct stat *st)
{
	char path[FD_PATH];
	int error;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (chmod(path, (st->st_mode & 07777) | S_IWUSR) < 0)
		return -EACCES;
	error = sock_ask(addr);
	chmod(path, st->st_mode & 07777);
	return error;
}

/* A path of ours whose mode (socket_mode) does not let us connect: an owner may
 * give himself the right.  What /proc/net/unix says would not do, since it
 * knows only those of its own network namespace. */
static int
sock_ask_ours(const struct addr *addr)
{
	int error = -EACCES;
	int fd = open(addr->un.sun_path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) &&
	    st.st_uid == geteuid())
		error = sock_ask_as_owner(addr, fd, &st);
	close(fd);
	return error;
}

/* 0 and whether something lies at the path, of which nobody listens. */
static int
sock_stale(const struct addr *addr, bool *there)
{
	struct stat st;
	int error;

	*there = addr->un.sun_path[0] != '\0' &&
	    lstat(addr->un.sun_path, &st) == 0;
	if (!*there)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	error = sock_ask(addr);
	if (error == -EACCES)
		error = sock_ask_ours(addr);
	if (error == -ECONNREFUSED)
		return 0;
	return error == -EACCES || sock_is_short(error) ? error : -EADDRINUSE;
}

int
sock_unlink_stale(const struct addr *addr)
{
	bool there;
	int error = sock_stale(addr, &there);

	if (error < 0 || !there)
		return error;
	return unlink(addr->un.sun_path) < 0 ? -errno : 0;
}

/* Whether a name can be made or removed where the path is. */
static int
folder_writable(const char *path)
{
	char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];

	snprintf(folder, sizeof(folder), "%s", path);
	return faccessat(AT_FDCWD, dirname(folder), W_OK | X_OK,
	    AT_EACCESS) < 0 ? -errno : 0;
}

int
sock_probe_unix(const struct addr *addr)
{
	const char *path = addr->un.sun_path;
	bool there;
	int fd, error = sock_stale(addr, &there);

	if (error < 0 || there)
		return error < 0 ? error : folder_writable(path);
	fd = sock_new_of(addr->sa.sa_family, 0);
	if (fd < 0)
		return fd;
	error = sock_bind_unix(fd, addr, 0);
	if (error == 0 && path[0] != '\0')
		unlink(path);
	close(fd);
	return error;
}
