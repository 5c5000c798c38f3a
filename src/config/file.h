/* A file to be read, of which no kind makes us wait. */
#ifndef SLUICE_CONFIG_FILE_H
#define SLUICE_CONFIG_FILE_H

#include <sys/stat.h>
#include <sys/types.h>

#define FILE_WHY 128

/* -1 and errno, or the fd: a FIFO is not waited for, and a terminal does not
 * become ours. */
int file_open(const char *path);

/* Words for what keeps what was opened (or not: errno tells) from being read,
 * or NULL: it is a regular file. */
const char *file_wrong(int fd, struct stat *, char *why);

/* A reader_source; its context is the fd's int. */
ssize_t file_source(void *fd, char *bytes, size_t size);

#endif
