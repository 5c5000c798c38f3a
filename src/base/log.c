#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

#define PATIENCE_MS 1000

/* How lines begin: for people, and for the journal (sd-daemon(3)). */
static const char *const PREFIXES[][2] = {
	[LOG_LEVEL_ERROR] = { "error: ", "<3>" },
	[LOG_LEVEL_WARN] = { "warning: ", "<4>" },
	[LOG_LEVEL_INFO] = { "", "<6>" },
	[LOG_LEVEL_DEBUG] = { "", "<7>" },
};

bool
log_stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char text[64];
	struct stat st;

	if (stream == NULL || fstat(STDERR_FILENO, &st) < 0)
		return false;
	snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	return strcmp(stream, text) == 0;
}

/* One call, so that lines of several threads do not mix; when it fails, or
 * nobody makes room in time, there is no one left to tell. */
void
log_write_stderr(enum log_level level, const char *line, size_t len)
{
	struct pollfd takes = { STDERR_FILENO, POLLOUT, 0 };
	char out[LOG_LINE + 16];
	int size = snprintf(out, sizeof(out), "%s%.*s\n",
	    PREFIXES[level][log_stderr_is_journal()], (int)len, line);

	if (poll(&takes, 1, PATIENCE_MS) == 0)
		return;
	while (write(STDERR_FILENO, out, (size_t)size) < 0 && errno == EINTR)
		;
}

static _Atomic(log_sink *) log_to = log_write_stderr;
static atomic_int log_max = LOG_LEVEL_INFO;

void
log_set_sink(log_sink *sink)
{
	atomic_store(&log_to, sink != NULL ? sink : log_write_stderr);
}

void
log_set_level(enum log_level level)
{
	atomic_store_explicit(&log_max, level, memory_order_relaxed);
}

/* The text of the error is kept whole; what precedes it is cut. */
static void __attribute__((format(printf, 3, 0)))
log_write(enum log_level level, int error, const char *format, va_list args)
{
	char line[LOG_LINE], cause[128] = "";
	size_t room, len;
	int written;

	if ((int)level > atomic_load_explicit(&log_max, memory_order_relaxed))
		return;
	if (error < 0)
		snprintf(cause, sizeof(cause), ": %s", strerror(-error));
	room = sizeof(line) - strlen(cause);
	written = vsnprintf(line, room, format, args);
	len = written < 0 ? 0 : (size_t)written;
	if (len >= room) {
		len = room - 1;
		memcpy(line + len - 3, "...", 3);
	}
	memcpy(line + len, cause, strlen(cause) + 1);
	len += strlen(cause);
	/* what came from outside must not start a line of its own */
	str_mask(line, len);
	atomic_load(&log_to)(level, line, len);
}

void
log_error(int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_write(LOG_LEVEL_ERROR, error, format, args);
	va_end(args);
}

void
log_warn(int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_write(LOG_LEVEL_WARN, error, format, args);
	va_end(args);
}

void
log_info(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_write(LOG_LEVEL_INFO, 0, format, args);
	va_end(args);
}

void
log_debug(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_write(LOG_LEVEL_DEBUG, 0, format, args);
	va_end(args);
}
