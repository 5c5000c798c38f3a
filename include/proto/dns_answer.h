/* The answer to a question for SRV records, read: RFC 1035 section 4.1, RFC
 * 2782.  Whoever asked has seen that it answers his question. */
#ifndef SLUICE_PROTO_DNS_ANSWER_H
#define SLUICE_PROTO_DNS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/parse.h"

#define DNS_NAME 254 /* the longest as text, without its last dot, and NUL */

/* One SRV record. */
struct dns_service {
	uint16_t priority; /* lowest first */
	uint16_t weight;
	uint16_t port;
	char	 target[DNS_NAME]; /* in lower case; "": RFC 2782's "." */
};

struct dns_answer {
	const char *why; /* BAD: what is wrong, as in "an answer that ..." */
	uint32_t ttl;	 /* s: the least of the records used; 0: of none */
	size_t	 count;	 /* of services */
};

/* How many SRV records it can hold at most, by its length and what it says. */
size_t dns_answer_room(const uint8_t *data, size_t len);

/* Reads the SRV records of the name that was asked for, along its CNAME
 * records, in whatever order these stand; records of other names are passed
 * over.  'services' has dns_answer_room().  OK, also with none; or BAD: broken,
 * cut short (TC), no answer to one question for SRV, or a target that is no
 * host name.  A TTL over 31 bits is 0 (RFC 2181 section 8).  Pure. */
enum parse dns_answer_parse(struct dns_answer *, const uint8_t *data,
    size_t len, struct dns_service *services);

#endif
