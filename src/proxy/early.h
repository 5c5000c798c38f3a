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

#include <stddef.h>
#include <stdint.h>

struct session;

struct early {
	uint8_t *data; /* owned; NULL: no bytes */
	uint32_t len, size;
};

/* The session's, a new one if it has none; NULL without memory. */
struct early *early_of(struct session *);

/* Appends what the client says, until that is all for now, or there are 'most'
 * bytes; eof and error stick to the client's conn.  0 or -ENOMEM, and then
 * bytes may have been left unread, but none are lost. */
int early_read(struct session *, size_t most);

/* Takes so many away from the front: they were for us alone. */
void early_drop(struct session *, size_t len);

/* Hands what is left to the relay to the upstream, as the first that it sends.
 * 0 or -ENOMEM, and then nothing has changed. */
int early_pass(struct session *);

void early_free(struct session *); /* none is fine */

#endif
