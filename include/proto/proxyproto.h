/* The PROXY protocol: a header before a connection's first byte that says on
 * whose behalf it was opened.  "Section N" is one of its specification, "The
 * PROXY protocol, Versions 1 & 2" (haproxy, doc/proxy-protocol.txt). */
#ifndef SLUICE_PROTO_PROXYPROTO_H
#define SLUICE_PROTO_PROXYPROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "proto/parse.h"

/* The longest line of version 1 with its CRLF (section 2.1), what version 2
 * begins with (section 2.2), and what it may announce to come behind that: the
 * length has 16 bits, but nobody has use for so many. */
#define PROXYPROTO_LINE	    107
#define PROXYPROTO_HEAD	    16
#define PROXYPROTO_ANNOUNCE 16384

#define PROXYPROTO_PATH	108 /* of a Unix socket; NUL behind a shorter one */
#define PROXYPROTO_WHY	96

/* Types of what follows the addresses of version 2 (section 2.2, "TLV"). */
enum proxyproto_type {
	PROXYPROTO_ALPN = 0x01,
	PROXYPROTO_AUTHORITY = 0x02, /* the SNI */
	PROXYPROTO_CRC32C = 0x03,
	PROXYPROTO_NOOP = 0x04,
	PROXYPROTO_UNIQUE_ID = 0x05,
};

/* A header, zeroed before its first byte is read. */
struct proxyproto {
	bool	    local; /* LOCAL: by a proxy for itself, a check as a rule */
	struct peer source; /* AF_UNSPEC: not told, which a LOCAL never does */
	struct peer destination; /* of the source's family, but mapped ones */

	/* Not ours: of the bytes that were read, or whoever writes. */
	const uint8_t *paths; /* AF_UNIX: two of PROXYPROTO_PATH, or NULL */
	const uint8_t *tlvs;
	size_t	       tlvs_len;

	size_t len; /* of the header; 0 as long as that is not known */
	size_t at;  /* where the reader stands */
	bool   foreign; /* BAD: something else, and no header that went wrong */
	char   why[PROXYPROTO_WHY]; /* BAD: what is wrong, in words */
};

/* Looks at the bytes that have come since the last call; 'data' is all that
 * came, from the first on.  OK: the first 'len' of them are the header, all
 * that follows is not looked at.  The answer does not depend on how the bytes
 * were cut into calls.  Strict where the specification is ("any sequence which
 * does not exactly match", section 2.1); of UNKNOWN the line is ignored up to
 * CRLF, of LOCAL and of AF_UNSPEC the block (section 2.2). */
enum parse proxyproto_read(struct proxyproto *, const uint8_t *data,
    size_t len);

/* The first value of that type behind the addresses; false: there is none. */
bool proxyproto_find(const struct proxyproto *, enum proxyproto_type,
    const uint8_t **value, size_t *len);

/* Writes a line of version 1 and returns its length; PROXYPROTO_LINE bytes are
 * enough.  What it has no words for is UNKNOWN (section 2.1). */
size_t proxyproto_line(const struct proxyproto *, char *line);

/* A header of version 2 that is being written. */
struct proxyproto_writer {
	uint8_t *data;
	size_t	 size;
	size_t	 len;
};

/* Writes the head, the addresses and the values of a header, less those of
 * types that mean nothing in another one (CRC32C, NOOP); 'size' has to have
 * room for PROXYPROTO_HEAD, two paths and tlvs_len. */
void proxyproto_begin(struct proxyproto_writer *, uint8_t *data, size_t size,
    const struct proxyproto *);

/* Adds a value; false: no room, and nothing was written. */
bool proxyproto_add(struct proxyproto_writer *, enum proxyproto_type,
    const void *value, size_t len);

/* Writes the length down and returns that of the whole header. */
size_t proxyproto_end(struct proxyproto_writer *);

#endif
