/* One check of one server: a connection on which is said and heard what the
 * upstream's 'check' wants.
 *
 *	connect -> PROXY header, what is to be said -> hear -> GOOD
 *	   |                   |                        |
 *	   +-------------------+------------------------+-----> BAD, and why
 *	                                                        UNFIT: our fault
 *
 * A kind of check is a row in check.c. */
#ifndef SLUICE_CONTROL_CHECK_H
#define SLUICE_CONTROL_CHECK_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

#define CHECK_HEARD 4096 /* bytes of an answer that are looked at */
#define CHECK_SAID  1024
#define CHECK_WHY   120

enum check_answer {
	CHECK_GOOD,
	CHECK_BAD,   /* check.why says why */
	CHECK_UNFIT, /* we have no descriptor or memory; it says nothing */
	CHECK_READ,  /* not yet: when there is something to read, */
	CHECK_WRITE, /* or room to write */
};

struct check;
typedef void check_done(struct check *, enum check_answer);

struct check {
	struct event event;
	int	     fd; /* owned; -1: not under way */
	const struct upstream_conf *conf; /* NULL: not under way */
	const char  *host;	/* of the server, NULL: it has but an address */
	check_done  *done;
	uint64_t     deadline;	/* clock_ms() */
	bool	     connected;
	uint8_t	    *said;	/* owned; what is to be sent */
	size_t	     say, sent;
	uint8_t	    *heard;	/* owned; CHECK_HEARD bytes */
	size_t	     len;
	void	    *tls;	/* of check_tls.c */
	char	     why[CHECK_WHY]; /* BAD; lower case, no period */
};

/* Begins one.  Its answer comes by done(), once, by the loop or from within. */
void check_begin(struct check *, struct event_base *,
    const struct upstream_conf *, const struct server_conf *,
    const struct addr *, check_done *);

/* What it was begun by says the same elsewhere, and goes. */
void check_obey(struct check *, const struct upstream_conf *,
    const struct server_conf *);

/* Breaks one off; none is fine, but zeroed memory is none only after this. */
void check_init(struct check *);
void check_end(struct check *);

/* "tcp", "tls", ... */
const char *check_word(const struct upstream_conf *);

/* --- for the kinds */

struct check_kind {
	/* Writes what is said first, CHECK_SAID bytes at most. NULL:
	 * nothing. */
	size_t (*say)(const struct check *, uint8_t *);
	/* Once that is out, and then whenever it can go on. NULL: that it went
	 * out is good enough. */
	enum check_answer (*hear)(struct check *);
	/* Frees what it has. NULL: nothing. */
	void (*end)(struct check *);
};
extern const struct check_kind CHECK_SEND_EXPECT, CHECK_HTTP, CHECK_TLS;

/* Adds to what was heard: GOOD for now, READ: there is no more yet; BAD: the
 * server has left. */
enum check_answer check_listen(struct check *);

/* Writes down why it is BAD. */
enum check_answer check_bad(struct check *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum check_answer check_bad_error(struct check *, int error); /* -errno */

/* The same with the head of what was heard. */
enum check_answer check_bad_heard(struct check *, const char *what);

#endif
