#include "pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "config/option.h"

#define NONE 0 /* standard input always has that number */

static int
pidfile_fail(const struct config *config, const char *what, int error)
{
	char place[CONFIG_PLACE];

	log_error(error, "%s: pid_file %s%s", config_place(config,
	    config_global_origin(config, "pid_file"), place),
	    config->global.pid_file, what);
	return error;
}

/* Somebody else's lock; the file may say whose. */
static int
pidfile_held(const struct config *config, int fd)
{
	char text[16] = "", what[64] = " is held by another daemon";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	long pid = n > 0 ? strtol(text, NULL, 10) : 0;

	if (pid > 0)
		snprintf(what, sizeof(what),
		    " is held by another daemon, pid %ld", pid);
	pidfile_fail(config, what, 0);
	return -EEXIST;
}

/* Whether the path still leads to the file that is locked: its last holder may
 * have removed it between our open and lock. */
static bool
pidfile_is_current(const char *path, int fd)
{
	struct stat ours, theirs;

	return fstat(fd, &ours) == 0 && stat(path, &theirs) == 0 &&
	    ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

/* Not flock(2), which asks for no right to write: whoever may read the file
 * could keep the daemon from starting.  Nor one of the process, which a child
 * does not have. */
static int
pidfile_lock(const struct config *config, int fd)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat st;

	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		pidfile_fail(config, " is not a regular file", 0);
		return -EINVAL;
	}
	if (fcntl(fd, F_OFD_SETLK, &whole) == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? pidfile_held(config, fd) :
	    pidfile_fail(config, "", -errno);
}

/* Nobody has written to it yet, so it is what we have just made. */
static void
pidfile_discard(const char *path, int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0 &&
	    pidfile_is_current(path, fd))
		unlink(path);
}

int
pidfile_open(const struct config *config)
{
	const char *path = config->global.pid_file;
	int fd, error;

	if (path == NULL)
		return NONE;
	for (;;) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW |
		    O_NONBLOCK | O_NOCTTY, 0644);
		if (fd < 0)
			return pidfile_fail(config, "", -errno);
		error = pidfile_lock(config, fd);
		if (error == 0 && pidfile_is_current(path, fd))
			return fd;
		if (error < 0 && error != -EEXIST)
			pidfile_discard(path, fd);
		close(fd);
		if (error < 0)
			return error;
	}
}

int
pidfile_write(int fd)
{
	char text[16];
	ssize_t n;
	int len;

	if (fd == NONE)
		return 0;
	len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) < 0)
		return -errno;
	n = pwrite(fd, text, (size_t)len, 0);
	if (n < 0)
		return -errno;
	return n < len ? -ENOSPC : 0;
}

void
pidfile_close(const char *path, int fd)
{
	if (fd <= NONE)
		return;
	if ((!pidfile_is_current(path, fd) || unlink(path) < 0) &&
	    ftruncate(fd, 0) < 0)
		log_warn(-errno, "pid_file %s stays", path);
	close(fd);
}
