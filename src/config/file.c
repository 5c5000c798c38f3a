#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int
file_open(const char *path)
{
	return open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

const char *
file_wrong(int fd, struct stat *st, char *why)
{
	if (fd < 0 || fstat(fd, st) < 0) {
		int error = errno, n = snprintf(why, FILE_WHY,
		    "cannot open: %s", strerror(error));

		/* A reload reads as whom the daemon became. */
		if (error == EACCES)
			snprintf(why + n, FILE_WHY - (size_t)n, " for uid %u",
			    (unsigned)geteuid());
		return why;
	}
	if (S_ISDIR(st->st_mode))
		return "is a directory, not a file";
	return S_ISREG(st->st_mode) ? NULL : "is not a regular file";
}

ssize_t
file_source(void *fd, char *bytes, size_t size)
{
	const int *from = fd;
	ssize_t got;

	do
		got = read(*from, bytes, size);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}
