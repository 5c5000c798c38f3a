/* The record a session leaves: who closed it, how, in which phase and under
 * which rule; and, if asked for, those of its start and while it lives.  Filled
 * by a worker into its ring, written by the log writer; it
 * holds copies only, so nothing of the session need still be there. */
#ifndef SLUICE_PROXY_CLOSERECORD_H
#define SLUICE_PROXY_CLOSERECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/rawtext.h"
#include "config/config.h"

#define CLOSERECORD_NAME   33
#define CLOSERECORD_DETAIL 192
#define CLOSERECORD_NOTE   192
#define CLOSERECORD_ROUTE  (CLIENT_HELLO_NAME + 8)

/* Room for any record, whatever bytes its names have.  With a newline and what
 * a device puts before it, still one write(2) that a pipe does not tear. */
#define CLOSERECORD_LINE 3840

/* What the record is about: END unless access_log_start or _interval ask. */
enum record_event { RECORD_END, RECORD_START, RECORD_INTERVAL };

enum closed_by { BY_CLIENT, BY_UPSTREAM, BY_PROXY };
#define CLOSED_BYS (BY_PROXY + 1)

enum close_how {
	HOW_FIN,
	HOW_RST,
	HOW_TIMEOUT,
	HOW_KILL,
	HOW_ERROR,
	HOW_DRAIN,
	HOW_LIMIT,
};
#define CLOSE_HOWS (HOW_LIMIT + 1)

/* Why a session ended. The strings are static storage, but for one. */
struct ending {
	enum closed_by by : 8;
	enum close_how how : 8;
	bool	       of_upstream; /* whose rule: upstream's or listener's, */
	bool	       of_global;   /* or that of [global] */
	int	       error;	 /* -errno, or 0 */
	const char    *cause;	 /* in words, "idle"; NULL: 'how' says it */
	const char    *detail;	 /* more words, not static: for as long as the
				    call that ends the session; or NULL */
	const char    *rule;	 /* the option, "idle_timeout", or NULL */
	uint64_t       limit_ms; /* what the rule allowed */
};

struct closerecord {
	uint64_t      time; /* clock_wall() */
	uint64_t      id;
	enum record_event event;
	char	      listener[CLOSERECORD_NAME];
	char	      upstream[CLOSERECORD_NAME]; /* "" before ROUTE */
	char	      server[ADDR_TEXT];	  /* "" before CONNECT */
	char	      server_name[CLOSERECORD_NAME]; /* of name=; "" */
	char	      detail[CLOSERECORD_DETAIL]; /* more words for the cause,
						     as str_mask() leaves them */
	char	      sni[CLIENT_HELLO_NAME]; /* "": none, or not heard */
	char	      route[CLOSERECORD_ROUTE]; /* the rule, "sni db.example"; "" */
	char	      note[CLOSERECORD_NOTE]; /* what was odd at first; "" */
	const char   *protocol; /* static storage; NULL or "": not known */
	struct peer   client;
	struct peer   via; /* the socket's, if that is another */
	const char   *phase;			  /* static storage */
	struct ending ending; /* of END */
	uint64_t      bytes_to_upstream;
	uint64_t      bytes_to_client;
	unsigned      attempts;
	uint64_t      queue_ms;	     /* from accept until the first attempt */
	uint64_t      connect_ms;    /* from accept until connected */
	uint64_t      first_byte_ms; /* until the upstream's first byte, or 0 */
	uint64_t      total_ms;
	uint32_t      client_rtt_us, client_retransmits;
	uint32_t      upstream_rtt_us, upstream_retransmits;
};

/* Writes the record as one line (no newline) of logfmt or JSON, with the same
 * names in both, and returns its length; CLOSERECORD_LINE bytes are enough.
 * Pure. */
size_t closerecord_line(const struct closerecord *, enum log_format, char *line,
    size_t size);

/* How much an operator should mind: WARN for a session that we or an upstream
 * failed to serve, INFO for any other. */
enum log_level closerecord_level(const struct closerecord *);

/* "client", "upstream", "proxy"; "fin", "rst", ... */
const char *closed_by_text(enum closed_by);
const char *close_how_text(enum close_how);

/* A session's id as people see it: PREFIX-WORKER-SEQUENCE. */
#define CLOSERECORD_ID 32
void closerecord_id(uint64_t id, char *text);
void closerecord_id_raw(uint64_t id, struct rawtext *); /* in a handler, too */

/* Reads such an id; false when it is none. */
bool closerecord_id_parse(const char *text, uint64_t *id);

#endif
