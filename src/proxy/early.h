/* What a client said before there was anybody to pass it on to, and what was
 * learned from it.  A session has one only once a phase before RELAY has read
 * something or has something to remember; a plain one never does.
 *
 *	early_read ... early_drop (a header) ... early_pass -> the relay's spill
 *
 * The bytes are gone with RELAY's begin, or when the last was dropped; what was
 * learned stays until the close record. */
#ifndef SLUICE_PROXY_EARLY_H
#define SLUICE_PROXY_EARLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

struct proxyproto;
struct peek;
struct session;

#define EARLY_NOTE 192

struct early {
	uint8_t *data; /* owned; NULL: no bytes */
	uint32_t len, size;
	uint32_t looked; /* GREETING: at so many */

	/* Of a PROXY header.  'via' is the other end of the connection, if the
	 * session carries another address (AF_UNSPEC: no). */
	struct peer via;
	struct peer destination;
	bool	    local; /* a proxy's own connection */
	uint16_t    tlvs_len;
	uint8_t	   *paths; /* of AF_UNIX: PROXYPROTO_PATH each, or NULL */
	uint8_t	   *tlvs;  /* or NULL */

	/* PEEK */
	struct peek *peek;     /* owned; NULL but there */
	const char  *protocol; /* a sniff's; "": unknown, NULL: not looked */
	char	    *sni;      /* owned, as in a client_hello; NULL: none */
	char	    *alpn;     /* owned: the one protocol it offers; NULL */
	char	    *note;     /* owned: what was odd, in words; NULL */
	bool	     named;    /* 'sni' is a host name */
};

/* The session's, a new one if it has none; NULL without memory. */
struct early *early_of(struct session *);

/* Appends what the client says, until that is all for now, or there are 'most'
 * bytes; eof and error stick to the client's conn.  0 or -ENOMEM, and then
 * bytes may have been left unread, but none are lost. */
int early_read(struct session *, size_t most);

/* Takes so many away from the front: they were for us alone. */
void early_drop(struct session *, size_t len);

/* Keeps what a PROXY header says; the session carries the address in it from
 * now on, if it has one.  0 or -ENOMEM, and then nothing has changed. */
int early_learn(struct session *, const struct proxyproto *);

/* Who is at the other end of the client's connection; the second is NULL where
 * that is who the session is said to be of. */
const struct peer *early_socket(const struct session *);
const struct peer *early_via(const struct session *);

/* Hands what is left to the relay to the upstream, as the first that it sends.
 * 0 or -ENOMEM, and then nothing has changed. */
int early_pass(struct session *);

void early_free(struct session *); /* none is fine */

void peek_free(struct early *); /* what only PEEK needs; none is fine */

#endif
