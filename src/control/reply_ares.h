/* What c-ares answers, as a dns_reply.  Each says in words what is wrong, or
 * NULL; a static text. */
#ifndef SLUICE_CONTROL_REPLY_ARES_H
#define SLUICE_CONTROL_REPLY_ARES_H

#include <ares.h>

#include "dns.h"

const char *reply_why(int status, enum dns_kind);

/* Appends the addresses. */
const char *reply_add_addresses(struct dns_reply *,
    const struct ares_addrinfo *);

/* Those of a message of 'len' bytes. */
const char *reply_add_services(struct dns_reply *, const uint8_t *data,
    size_t len);

#endif
