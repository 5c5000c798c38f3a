/* What the first bytes of a client look like, so that a wrong protocol can be
 * called by its name.  Pure, and only for people: nothing is decided by it. */
#ifndef SLUICE_PROTO_SNIFF_H
#define SLUICE_PROTO_SNIFF_H

#include <stddef.h>
#include <stdint.h>

/* More bytes tell nothing more. */
#define SNIFF_MOST 20

struct sniff {
	const char *protocol; /* "tls", "http", ...: one word; "" if unknown */
	const char *words;    /* "an HTTP request" */
};

/* What they begin with; never NULL.  More bytes may name what fewer did not,
 * but never give it another name. */
const struct sniff *sniff_bytes(const uint8_t *, size_t len);

/* Writes in words what they are and returns 'text' (SNIFF_TEXT bytes):
 * "an HTTP request", "a TLS hello for db.example", "nothing", "'HELLO ...'",
 * "the bytes 00 01 ...".  Printable ASCII, whatever the bytes are. */
#define SNIFF_TEXT 96
const char *sniff_text(const uint8_t *, size_t len, char *text);

#endif
