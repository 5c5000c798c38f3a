/* "HOST:PORT" in its forms, split and judged, with words for each mistake. */
#ifndef SLUICE_CONFIG_HOSTPORT_H
#define SLUICE_CONFIG_HOSTPORT_H

#include "base/addr.h"

#define HOST_MAX     253 /* RFC 1035 section 2.3.4, as text */
#define HOSTPORT_WHY 160

enum host_kind {
	HOST_NONE,    /* ":PORT" */
	HOST_NUMERIC, /* 'addr' holds it */
	HOST_NAME,    /* a name to resolve */
	HOST_UNIX,    /* "unix:PATH"; 'addr' holds it */
};

struct hostport {
	enum host_kind kind;
	char	       host[HOST_MAX + 1]; /* without brackets */
	struct addr    addr;		   /* with the first port */
	unsigned       first, last;	   /* ports; equal but for a range */
};

/* Each returns NULL, or what is wrong with 'text' in words that fit behind
 * "KEY 'TEXT' " (static storage or 'why', of HOSTPORT_WHY bytes). */
const char *hostport_parse(struct hostport *, const char *text, char *why);

/* A host alone; an IPv6 address with or without brackets.  Port 0. */
const char *host_parse(struct hostport *, const char *text, char *why);

#endif
