/* Collects what is wrong with a configuration, each with the place it is at,
 * and hands it out in the order of the file. */
#ifndef SLUICE_CONFIG_REPORT_H
#define SLUICE_CONFIG_REPORT_H

#include "arena.h"
#include "config/config.h"

struct report_line;

struct report {
	const char		   *name;   /* of the file, for messages */
	const struct config_source *source; /* the arguments' texts */
	struct arena		   *arena;  /* not ours */
	struct report_line	   *lines;
	size_t			    count;
};

/* A place in the file; 0 is the file as a whole. */
static inline struct origin
origin_line(unsigned line)
{
	return (struct origin){ ORIGIN_LINE, line };
}

/* "NAME:LINE: text", "NAME: text", "--set 'ARG': text" or "-L 'ARG': text". */
void report(struct report *, struct origin, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "line 8", "--set" or "-L", where a message points to a second place. */
#define ORIGIN_TEXT 32
const char *origin_text(struct origin, char *text);

/* Moves everything into 'errors', sorted.  Without memory that is one line
 * that says so, and if even that fails, none. */
void report_finish(struct report *, struct config_errors *errors);

#endif
