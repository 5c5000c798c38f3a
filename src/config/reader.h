/* Bytes of a configuration file -> the lines that say something.
 *
 * inih r55 cuts a long line and reads its rest as a line of its own (even of a
 * comment), takes indented lines as continuations, stops at NUL and counts for
 * nobody.  This reader stands in front of it: what it hands out is text,
 * trimmed, without comment, of at most READER_LINE bytes. */
#ifndef SLUICE_CONFIG_READER_H
#define SLUICE_CONFIG_READER_H

#include "report.h"

#include <sys/types.h>

#define READER_LINE  198		/* inih's 200 less "\n\0" */
#define READER_BYTES (16 * 1024 * 1024) /* of a file */

/* Gives up to 'size' bytes: how many, 0 at the end, or -errno. */
typedef ssize_t reader_source(void *context, char *bytes, size_t size);

struct reader {
	reader_source *source;
	void	      *context;
	struct report *report;
	unsigned       file;  /* its number, for the report */
	unsigned       line;  /* number of the last line handed out */
	size_t	       bytes; /* read so far */
	unsigned       bad;   /* lines that are no text */
	bool	       ended;
	char	       chunk[4096];
	size_t	       next, filled; /* in 'chunk' */
	char	      *raw;	     /* the line being put together; owned */
	size_t	       len, room;
};

void reader_init(struct reader *, reader_source *, void *context,
    struct report *, unsigned file);
void reader_done(struct reader *);

/* The next live line, valid until the next call, or NULL at the end.  What is
 * wrong with a line is reported and the line left out. */
const char *reader_next(struct reader *);

/* The place of that line. */
struct origin reader_here(const struct reader *);

/* The text of a line without blanks around it and without comment, in place:
 * "" when nothing is left. */
char *reader_live(char *line);

/* The text without blanks around it, in place. */
char *reader_trim(char *text);

/* Whether a line with that value would have a comment in it, or what looks like
 * one ('#' behind a blank). */
bool reader_comments(const char *value);

#endif
