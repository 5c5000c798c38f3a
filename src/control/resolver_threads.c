/* Names without c-ares: getaddrinfo(3), each in a thread of its own, so that
 * one silent name server holds up nobody else.  It tells no TTL. */
#include "dns.h"

#include <event2/event_struct.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "lookup.h"

struct dns {
	struct box	      *box;
	struct event	       box_event;
	uint64_t	       last_id;
	LIST_HEAD(, dns_query) queries;
};

struct dns_query {
	LIST_ENTRY(dns_query) link;
	uint64_t	      id;
	dns_done	     *done;
	void		     *arg;
};

static struct dns_query *
dns_find(struct dns *dns, uint64_t id)
{
	struct dns_query *q;

	LIST_FOREACH(q, &dns->queries, link)
		if (q->id == id)
			return q;
	return NULL;
}

static void
query_free(struct dns_query *q)
{
	LIST_REMOVE(q, link);
	free(q);
}

static void
dns_answer(struct dns *dns, struct lookup *lookup)
{
	struct dns_query *q = dns_find(dns, lookup->id);
	struct dns_reply reply = { .addrs = lookup->addrs,
		.naddrs = lookup->count };
	struct dns_query found;

	if (lookup->error != 0)
		reply.why = gai_strerror(lookup->error);
	lookup->addrs = NULL;
	lookup_free(lookup);
	if (q == NULL) {
		dns_reply_done(&reply);
		return;
	}
	found = *q;
	query_free(q);
	found.done(found.arg, &reply);
}

static void
dns_box_event(evutil_socket_t fd, short what, void *arg)
{
	struct dns *dns = arg;
	struct lookup *lookup;
	struct box_list list;

	(void)fd, (void)what;
	box_take(dns->box, &list);
	while ((lookup = lookup_next(&list)) != NULL)
		dns_answer(dns, lookup);
}

struct dns_query *
dns_ask(struct dns *dns, enum dns_kind kind, const char *host, unsigned had,
    dns_done *done, void *arg)
{
	struct dns_query *q = malloc(sizeof(*q));

	(void)kind, (void)had;
	if (q == NULL)
		return NULL;
	*q = (struct dns_query){ .id = ++dns->last_id, .done = done,
		.arg = arg };
	LIST_INSERT_HEAD(&dns->queries, q, link);
	if (lookup_start(dns->box, host, q->id) == 0)
		return q;
	query_free(q);
	return NULL;
}

/* A thread cannot be stopped: what it finds is thrown away. */
void
dns_cancel(struct dns_query *q)
{
	query_free(q);
}

/* The C library looks at resolv.conf each time. */
void
dns_reread(struct dns *dns, const struct config *config)
{
	(void)dns, (void)config;
}

struct dns *
dns_new(struct event_base *base, const struct config *config)
{
	struct dns *dns = calloc(1, sizeof(*dns));

	(void)config;
	if (dns == NULL)
		return NULL;
	LIST_INIT(&dns->queries);
	dns->box = lookup_box_new();
	if (dns->box == NULL)
		goto fail;
	event_assign(&dns->box_event, base, box_fd(dns->box),
	    EV_READ | EV_PERSIST, dns_box_event, dns);
	if (event_add(&dns->box_event, NULL) == 0)
		return dns;
	box_unref(dns->box);

fail:
	free(dns);
	return NULL;
}

void
dns_free(struct dns *dns)
{
	if (dns == NULL)
		return;
	while (!LIST_EMPTY(&dns->queries))
		query_free(LIST_FIRST(&dns->queries));
	event_del(&dns->box_event);
	box_unref(dns->box);
	free(dns);
}

const char *
dns_library(void)
{
	return "no c-ares";
}

const char *
dns_feature(void)
{
	return "names by getaddrinfo";
}
