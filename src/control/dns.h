/* How names are looked up: by c-ares (resolver_ares.c), or where the build has
 * none by getaddrinfo(3) in threads (resolver_threads.c).  Main thread only; no
 * call waits for anything. */
#ifndef SLUICE_CONTROL_DNS_H
#define SLUICE_CONTROL_DNS_H

#include <event2/event.h>

#include "config/config.h"
#include "proto/dns_answer.h"

enum dns_kind {
	DNS_ADDRESSES, /* A and AAAA, or a line of /etc/hosts */
	DNS_SERVICES,  /* SRV; never without c-ares */
};

/* Families of addresses. */
enum { DNS_V4 = 1, DNS_V6 = 2, DNS_BOTH = DNS_V4 | DNS_V6 };

/* An answer all the same: it does not exist. */
#define DNS_NO_NAME "no such name"

struct dns_reply {
	const char	   *why;     /* it failed, in words; NULL: it did not */
	bool		    has_ttl; /* not so: of /etc/hosts, or unknown */
	uint32_t	    ttl;     /* s: the least of the records used */
	struct addr	   *addrs;   /* port 0, those to prefer first; owned */
	size_t		    naddrs;
	unsigned	    lost;     /* families of which it is not known */
	const char	   *lost_why; /* of those that it had before */
	struct dns_service *services; /* owned */
	size_t		    nservices;
};

/* Those of some addresses. */
unsigned dns_families(const struct addr *, size_t count);

/* Of a family that is not known now, the addresses that there were go on; which
 * one is preferred stays so.  Nothing without memory. */
void dns_reply_keep(struct dns_reply *, const struct addr *, size_t count);

/* Frees what is owned. */
void dns_reply_done(struct dns_reply *);

struct dns;
struct dns_query;

/* The query is over and freed; what the reply owns is the callee's. */
typedef void dns_done(void *arg, struct dns_reply *);

/* NULL without memory or descriptors.  Of the config dns_server counts, now. */
struct dns *dns_new(struct event_base *, const struct config *);
void	    dns_free(struct dns *); /* with its queries; NULL is fine */

/* Asks; 'done' is called from the loop, never from here.  'had' are the families
 * of the name's addresses so far: that it has them no more has to be said.  NULL:
 * no memory. */
struct dns_query *dns_ask(struct dns *, enum dns_kind, const char *host,
    unsigned had, dns_done *done, void *arg);
void dns_cancel(struct dns_query *); /* 'done' will not be called */

/* resolv.conf has changed, or dns_server: who asks from now on asks as they say;
 * questions that were asked are still answered. */
void dns_reread(struct dns *, const struct config *);

/* "c-ares 1.18.1", "names by c-ares": for -V. */
const char *dns_library(void);
const char *dns_feature(void);

#endif
