/* Collects what is wrong with a configuration, each with the place it is at,
 * and hands it out in the order of the file. */
#ifndef SLUICE_CONFIG_REPORT_H
#define SLUICE_CONFIG_REPORT_H

#include "arena.h"
#include "config/config.h"

struct report_line;

struct report {
	const char		   *name;   /* of the file, for messages */
	const char		  **others; /* of the files it includes */
	size_t			    nothers;
	const struct config_source *source; /* the arguments' texts */
	struct arena		   *arena;  /* not ours */
	struct report_line	   *lines;
	size_t			    count;
	size_t			    wrong; /* of them; else warnings */
};

/* A place in a file; line 0 is the file as a whole. */
static inline struct origin
origin_line(unsigned file, unsigned line)
{
	return (struct origin){ ORIGIN_LINE, file, line };
}

/* Another file besides 'name', which is number 0: its number, or 0 without
 * memory.  The name stays the caller's. */
unsigned report_add_file(struct report *, const char *name);

/* The name of a file by its number. */
const char *report_file(const struct report *, unsigned file);

/* "NAME:LINE: text", "NAME: text", "--set 'ARG': text" or "-L 'ARG': text". */
void report(struct report *, struct origin, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "NAME:LINE: warning: text": the configuration may be used all the same. */
void report_warning(struct report *, struct origin, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "line 8", or "conf.d/a.ini:8" if that is another file than where the message
 * points in the first place, or "--set", or "-L". */
#define ORIGIN_TEXT 256
const char *origin_text(const struct report *, struct origin here,
    struct origin other, char *text);

/* Moves everything into 'errors', sorted.  Without memory that is one line
 * that says so, and if even that fails, none: false. */
bool report_finish(struct report *, struct config_errors *errors);

#endif
