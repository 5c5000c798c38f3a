/* The last few messages, so that one that is said again and again is written
 * once, and then how often it came.  Only a warning or an error is held back:
 * what is said for information answers somebody's action. */
#ifndef SLUICE_CONTROL_REPEATS_H
#define SLUICE_CONTROL_REPEATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

#define REPEATS_MS   10000 /* how long one is remembered */
#define REPEATS_ROWS 8

struct repeats {
	struct repeat {
		uint64_t       since; /* of the first; 0: unused */
		unsigned       count; /* of those held back */
		enum log_level level;
		size_t	       len;
		char	       text[LOG_LINE];
	} rows[REPEATS_ROWS];
};

/* Whether to hold this one back, because it was said less than REPEATS_MS ago;
 * then it is counted, else remembered. */
bool repeats_hold(struct repeats *, enum log_level, const char *text,
    size_t len, uint64_t now);

/* What is said from now on answers somebody, who has not heard it yet; but what
 * has a count that is not told goes on with it. */
void repeats_forget(struct repeats *);

/* When the next count is to be told, or UINT64_MAX. */
uint64_t repeats_due(const struct repeats *);

/* Takes one that is due, with its text and count as one line of LOG_LINE
 * bytes; returns that line's length, or 0: none is. */
size_t repeats_take(struct repeats *, uint64_t now, enum log_level *,
    char *line);

#endif
