/* What the daemon says to its operator.  Lower case, no period, the thing
 * first, input in 'quotes'.  Each failure is logged once, where it ends. */
#ifndef SLUICE_BASE_LOG_H
#define SLUICE_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Room for one line; a longer one is cut. */
#define LOG_LINE 1024

/* A sink takes one finished line without newline.  It must neither block nor
 * log, and is called on any thread. */
typedef void log_sink(enum log_level, const char *line, size_t len);

/* Where lines go; NULL is back to log_write_stderr, which writes at once, as at
 * start, and waits a second at most. */
void log_set_sink(log_sink *);
void log_write_stderr(enum log_level, const char *line, size_t len);

/* Whether stderr is read by systemd's journal, to which "<3>" at the start of a
 * line says that it is an error (sd-daemon(3); systemd.exec(5): JOURNAL_STREAM
 * is its device and inode, unless it was redirected since). */
bool log_stderr_is_journal(void);

/* Lines above this level are dropped (default LOG_LEVEL_INFO). */
void log_set_level(enum log_level);

/* 'error' is 0 or -errno, whose text is added behind ": ".  Any thread. */
void log_error(int error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void log_warn(int error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
