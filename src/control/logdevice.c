#include "logdevice.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "syslogger.h"

#define BUFFER	 (64 * 1024)
#define LINES	 1024 /* in the buffer */
#define STUCK_MS 1000
#define RETRY_MS 250 /* of what poll(2) does not tell */

struct logdevice {
	enum log_to	     to;
	enum logdevice_style style;
	char		    *path; /* FILE */
	int		     fd;   /* -1: no syslog at the moment */
	bool		     made; /* the file was not there before */
	bool		     whole; /* not more than PIPE_BUF at once */
	bool		     torn; /* what was written last is half a line, */
	bool		     mends; /* which the buffer's first byte ends */

	bool	 stuck;
	int	 error;	 /* of the last try; 0: it took, or takes, nothing */
	uint64_t since;	 /* WAITING, STUCK: of the last byte; 0: FINE */
	uint64_t next;	 /* not before, if there is an error */

	size_t	       start, end; /* of what waits */
	unsigned       first, lines; /* their kinds */
	struct counter dropped[LOGDEVICE_KINDS];
	uint8_t	       kinds[LINES];
	char	       buffer[BUFFER];
};

/* Root writes where root's links lead, and not where somebody's do who owns the
 * folder, as the daemon's user may: as protected_symlinks, proc(5). */
static int
link_open(const char *path, int flags)
{
	struct stat st;

	if (geteuid() == 0 && lstat(path, &st) == 0 && st.st_uid != 0) {
		errno = EACCES;
		return -1;
	}
	return open(path, flags, 0640);
}

static int
file_open(const char *path, bool *made)
{
	/* NONBLOCK for a FIFO: without a reader it must not hold us up. */
	int flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	int fd = open(path, flags | O_CREAT | O_EXCL, 0640);

	*made = fd >= 0;
	if (fd < 0 && errno == EEXIST)
		fd = open(path, flags | O_CREAT | O_NOFOLLOW, 0640);
	if (fd < 0 && errno == ELOOP)
		fd = link_open(path, flags | O_CREAT);
	return fd < 0 ? -errno : fd;
}

/* Others write to it too, and must not find it non-blocking: a pipe or a
 * terminal is opened once more, for us alone.  A file is not, since its offset
 * may be shared; nor where /proc is missing. */
static int
stderr_open(void)
{
	struct stat st;
	int fd = -1;

	if (fstat(STDERR_FILENO, &st) < 0)
		return -errno;
	if (S_ISFIFO(st.st_mode) || isatty(STDERR_FILENO))
		fd = open("/proc/self/fd/2", O_WRONLY | O_CLOEXEC | O_NOCTTY |
		    O_NONBLOCK);
	if (fd < 0)
		fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return fd < 0 ? -errno : fd;
}

static int
logdevice_open_fd(struct logdevice *d)
{
	switch (d->to) {
	case LOG_TO_SYSLOG:
		d->style = LOGDEVICE_SYSLOG;
		return syslogger_open();
	case LOG_TO_FILE:
		d->style = LOGDEVICE_FILE;
		return file_open(d->path, &d->made);
	case LOG_TO_STDERR:
	case LOG_TO_LOG:
	case LOG_TO_NOWHERE:
		break;
	}
	d->style = log_stderr_is_journal() ? LOGDEVICE_JOURNAL : LOGDEVICE_PLAIN;
	return stderr_open();
}

static bool
fd_is_regular(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

int
logdevice_open(struct logdevice **device, const struct log_target *target)
{
	struct logdevice *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return -ENOMEM;
	d->to = target->to;
	if (target->path != NULL)
		d->path = strdup(target->path);
	d->fd = target->path != NULL && d->path == NULL ? -ENOMEM :
	    logdevice_open_fd(d);
	if (d->fd < 0) {
		d->error = -d->fd;
		d->fd = -1;
		d->since = clock_ms();
		d->stuck = true;
	}
	if (d->stuck && d->to != LOG_TO_SYSLOG) {
		int error = -d->error;

		logdevice_close(d);
		return error;
	}
	d->whole = d->fd >= 0 && !fd_is_regular(d->fd);
	*device = d;
	return 0;
}

void
logdevice_close(struct logdevice *d)
{
	if (d == NULL)
		return;
	if (d->fd >= 0)
		close(d->fd);
	free(d->path);
	free(d);
}

int
logdevice_give(struct logdevice *d, uid_t uid, gid_t gid)
{
	return d->made && fchown(d->fd, uid, gid) < 0 ? -errno : 0;
}

static bool
fd_same_file(int a, int b)
{
	struct stat of_a, of_b;

	return fstat(a, &of_a) == 0 && fstat(b, &of_b) == 0 &&
	    of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

/* Nothing waits any more; half a line is to be ended before the next. */
static void
logdevice_clear(struct logdevice *d)
{
	d->start = d->end = 0;
	d->first = d->lines = 0;
	d->mends = d->torn;
	if (d->torn)
		d->buffer[d->end++] = '\n';
}

enum logdevice_style
logdevice_style(const struct logdevice *d)
{
	return d->style;
}

bool
logdevice_is(const struct logdevice *d, const struct log_target *target)
{
	return d->to == target->to &&
	    (d->to != LOG_TO_FILE || strcmp(d->path, target->path) == 0);
}

int
logdevice_fd(const struct logdevice *d)
{
	return d->fd;
}

const char *
logdevice_name(const struct logdevice *d)
{
	if (d->to == LOG_TO_FILE)
		return d->path;
	return d->to == LOG_TO_SYSLOG ? "syslog" : "stderr";
}

bool
logdevice_room(const struct logdevice *d)
{
	return d->stuck || (d->lines < LINES &&
	    d->end - d->start + LOGDEVICE_LINE < BUFFER);
}

static void
logdevice_append(struct logdevice *d, enum logdevice_kind kind,
    const char *line, size_t len)
{
	if (d->end + len + 1 > BUFFER) {
		memmove(d->buffer, d->buffer + d->start, d->end - d->start);
		d->end -= d->start;
		d->start = 0;
	}
	d->kinds[(d->first + d->lines++) % LINES] = (uint8_t)kind;
	memcpy(d->buffer + d->end, line, len);
	d->end += len;
	d->buffer[d->end++] = '\n';
}

void
logdevice_put(struct logdevice *d, enum logdevice_kind kind, const char *line,
    size_t len)
{
	assert(len < LOGDEVICE_LINE && logdevice_room(d));
	if (d->stuck) {
		counter_add(&d->dropped[kind], 1);
		return;
	}
	logdevice_append(d, kind, line, len);
}

/* As many whole lines as a pipe takes in one piece. */
static size_t
text_whole(const char *text, size_t len)
{
	const char *end;

	if (len <= PIPE_BUF)
		return len;
	end = memrchr(text, '\n', PIPE_BUF);
	return end != NULL ? (size_t)(end - text) + 1 : PIPE_BUF;
}

static bool
fd_takes(int fd)
{
	struct pollfd p = { fd, POLLOUT, 0 };

	return poll(&p, 1, 0) > 0;
}

/* How many bytes it took, or -errno. */
static ssize_t
logdevice_write(struct logdevice *d)
{
	const char *text = d->buffer + d->start;
	size_t len = d->end - d->start;
	ssize_t n;

	if (d->to == LOG_TO_SYSLOG) {
		const char *end = memchr(text, '\n', len);
		int error;

		len = (size_t)(end - text);
		error = syslogger_send(&d->fd, text, len);
		return error < 0 ? error : (ssize_t)len + 1;
	}
	if (d->whole && !fd_takes(d->fd))
		return -EAGAIN;
	do
		n = write(d->fd, text, d->whole ? text_whole(text, len) : len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n > 0 ? n : -EIO;
}

static void
logdevice_took(struct logdevice *d, size_t len)
{
	const char *text = d->buffer + d->start, *end = text + len;
	unsigned lines = 0;

	d->torn = end[-1] != '\n';
	for (; (text = memchr(text, '\n', (size_t)(end - text))) != NULL;
	    text++)
		lines++;
	if (d->mends && lines > 0) {
		d->mends = false;
		lines--;
	}
	d->first = (d->first + lines) % LINES;
	d->lines -= lines;
	d->start += len;
	if (d->start == d->end)
		d->start = d->end = 0;
	d->since = 0;
	d->error = 0;
}

static void
logdevice_drop(struct logdevice *d)
{
	for (unsigned i = 0; i < d->lines; i++)
		counter_add(&d->dropped[d->kinds[(d->first + i) % LINES]], 1);
	logdevice_clear(d);
}

static void
logdevice_failed(struct logdevice *d, int error, uint64_t now)
{
	d->error = error == -EAGAIN ? 0 : -error;
	d->next = now + RETRY_MS;
	if (d->since == 0)
		d->since = now;
	if (now - d->since < STUCK_MS)
		return;
	logdevice_drop(d);
	d->stuck = true;
}

bool
logdevice_flush(struct logdevice *d, uint64_t now)
{
	bool any = false;

	if (d->stuck || (d->error != 0 && now < d->next))
		return false;
	while (d->start < d->end) {
		ssize_t n = logdevice_write(d);

		if (n < 0) {
			logdevice_failed(d, (int)n, now);
			break;
		}
		logdevice_took(d, (size_t)n);
		any = true;
	}
	return any;
}

/* The rest of a line whose first half went elsewhere. */
static void
logdevice_skip_torn(struct logdevice *d)
{
	const char *text = d->buffer + d->start;
	const char *end = memchr(text, '\n', d->end - d->start);

	if (d->torn && !d->mends)
		counter_add(&d->dropped[d->kinds[d->first]], 1);
	if (d->torn)
		logdevice_took(d, (size_t)(end - text) + 1);
}

int
logdevice_reopen(struct logdevice *d)
{
	int fd;

	d->next = 0;
	if (d->to == LOG_TO_SYSLOG && d->fd >= 0) {
		close(d->fd);
		d->fd = -1;
	}
	if (d->to != LOG_TO_FILE)
		return 0;
	fd = file_open(d->path, &d->made);
	if (fd < 0)
		return fd;
	if (!fd_same_file(fd, d->fd))
		logdevice_skip_torn(d);
	close(d->fd);
	d->fd = fd;
	d->whole = !fd_is_regular(fd);
	return 0;
}

bool
logdevice_waits(const struct logdevice *d)
{
	return !d->stuck && d->start < d->end;
}

int
logdevice_poll_fd(const struct logdevice *d)
{
	return d->since != 0 && d->error == 0 ? d->fd : -1;
}

bool
logdevice_is_stuck(const struct logdevice *d)
{
	return d->stuck;
}

int
logdevice_error(const struct logdevice *d)
{
	return d->error;
}

uint64_t
logdevice_since(const struct logdevice *d)
{
	return d->since;
}

bool
logdevice_may_retry(const struct logdevice *d, uint64_t now)
{
	if (!d->stuck)
		return false;
	/* an error, or closed meanwhile: nothing to poll */
	if (d->error != 0 || d->fd < 0)
		return now >= d->next;
	return fd_takes(d->fd);
}

bool
logdevice_try(struct logdevice *d, const char *line, size_t len, uint64_t now)
{
	bool stuck = d->stuck;
	uint64_t since = d->since;

	assert(d->lines == 0);
	logdevice_append(d, LOGDEVICE_MESSAGES, line, len);
	d->stuck = false;
	d->since = 0;
	logdevice_flush(d, now);
	if (d->start == d->end)
		return true;
	logdevice_clear(d);
	d->stuck = stuck;
	if (stuck)
		d->since = since;
	return false;
}

uint64_t
logdevice_dropped(const struct logdevice *d, enum logdevice_kind kind)
{
	return counter_get(&d->dropped[kind]);
}
