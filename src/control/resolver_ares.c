/* Names by c-ares, on the main thread's event base: its sockets are events, its
 * timeouts are one timer. */
#include "reply_ares.h"

#include <event2/event_struct.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

/* A name server has a second, then two; then we ask again ourselves. */
#define TIMEOUT_MS 1000
#define TRIES	   2

struct dns_socket {
	LIST_ENTRY(dns_socket) link;
	struct event	       event;
	struct channel	      *channel;
	ares_socket_t	       fd;
};

/* One reading of resolv.conf.  An old one lives until its last question is
 * answered. */
struct channel {
	LIST_ENTRY(channel)	link;
	struct dns	       *dns;
	ares_channel		ares;
	struct event		timer;
	LIST_HEAD(, dns_socket) sockets;
	size_t			queries;
};

struct dns {
	struct event_base    *base;
	struct channel	     *current;
	LIST_HEAD(, channel)  channels;
	LIST_HEAD(, dns_query) queries;
};

struct dns_query {
	LIST_ENTRY(dns_query) link;
	struct channel	     *channel;
	enum dns_kind	      kind;
	char		     *host;	/* owned */
	unsigned	      had;	/* families, before */
	dns_done	     *done; /* NULL: cancelled */
	void		     *arg;
	struct dns_reply      reply;
	struct event	      answered; /* made active by the answer */
	bool		      asking;	/* inside c-ares' call */
};

/* --- sockets and time */

static void
channel_settle(struct channel *c)
{
	struct timeval tv;

	if (ares_timeout(c->ares, NULL, &tv) == NULL)
		event_del(&c->timer);
	else
		event_add(&c->timer, &tv);
}

static void
channel_socket_event(evutil_socket_t fd, short what, void *arg)
{
	struct channel *c = ((struct dns_socket *)arg)->channel;

	ares_process_fd(c->ares, what & EV_READ ? fd : ARES_SOCKET_BAD,
	    what & EV_WRITE ? fd : ARES_SOCKET_BAD);
	channel_settle(c);
}

static void
channel_timer_event(evutil_socket_t fd, short what, void *arg)
{
	struct channel *c = arg;

	(void)fd, (void)what;
	ares_process_fd(c->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	channel_settle(c);
}

static struct dns_socket *
channel_find(struct channel *c, ares_socket_t fd)
{
	struct dns_socket *s;

	LIST_FOREACH(s, &c->sockets, link)
		if (s->fd == fd)
			return s;
	return NULL;
}

/* Without memory the question is as good as lost: it will time out. */
static struct dns_socket *
channel_add(struct channel *c, ares_socket_t fd)
{
	struct dns_socket *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->channel = c;
	s->fd = fd;
	LIST_INSERT_HEAD(&c->sockets, s, link);
	event_assign(&s->event, c->dns->base, fd, 0, channel_socket_event, s);
	return s;
}

/* c-ares tells what it waits for; for nothing before it closes the socket. */
static void
channel_watch(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct channel *c = arg;
	struct dns_socket *s = channel_find(c, fd);
	short what = (short)((readable ? EV_READ : 0) |
	    (writable ? EV_WRITE : 0));

	if (s == NULL && what != 0)
		s = channel_add(c, fd);
	if (s == NULL)
		return;
	event_del(&s->event);
	if (what == 0) {
		LIST_REMOVE(s, link);
		free(s);
		return;
	}
	event_assign(&s->event, c->dns->base, fd, what | EV_PERSIST,
	    channel_socket_event, s);
	event_add(&s->event, NULL);
}

/* --- channels */

static void
server_node(struct ares_addr_port_node *node, const struct addr *addr)
{
	node->family = addr->sa.sa_family;
	node->udp_port = node->tcp_port = addr_port(addr);
	if (node->family == AF_INET)
		node->addr.addr4 = addr->in.sin_addr;
	else
		memcpy(&node->addr.addr6, &addr->in6.sin6_addr,
		    sizeof(node->addr.addr6));
}

/* Those of dns_server instead of resolv.conf's. */
static int
channel_servers(struct channel *c, const struct global_conf *global)
{
	struct ares_addr_port_node *nodes;
	size_t count = global->ndns_servers;
	int status;

	if (count == 0)
		return ARES_SUCCESS;
	nodes = calloc(count, sizeof(*nodes));
	if (nodes == NULL)
		return ARES_ENOMEM;
	for (size_t i = 0; i < count; i++) {
		server_node(&nodes[i], &global->dns_servers[i]);
		nodes[i].next = i + 1 < count ? &nodes[i + 1] : NULL;
	}
	status = ares_set_servers_ports(c->ares, nodes);
	free(nodes);
	return status;
}

static int
channel_init(struct channel *c, const struct global_conf *global)
{
	static char lookups[] = "fb"; /* /etc/hosts, then DNS */
	struct ares_options options = { .timeout = TIMEOUT_MS, .tries = TRIES,
		.lookups = lookups, .sock_state_cb = channel_watch,
		.sock_state_cb_data = c };
	int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
	    ARES_OPT_SOCK_STATE_CB;

	/* Else as nsswitch.conf has it. */
	if (global->ndns_servers > 0)
		mask |= ARES_OPT_LOOKUPS;
	if (ares_init_options(&c->ares, &options, mask) != ARES_SUCCESS)
		return -1;
	if (channel_servers(c, global) == ARES_SUCCESS)
		return 0;
	ares_destroy(c->ares);
	return -1;
}

static struct channel *
channel_new(struct dns *dns, const struct config *config)
{
	struct channel *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->dns = dns;
	LIST_INIT(&c->sockets);
	event_assign(&c->timer, dns->base, -1, 0, channel_timer_event, c);
	if (channel_init(c, &config->global) < 0) {
		free(c);
		return NULL;
	}
	LIST_INSERT_HEAD(&dns->channels, c, link);
	return c;
}

/* Questions that run are answered by it: not in time. */
static void
channel_free(struct channel *c)
{
	ares_destroy(c->ares);
	event_del(&c->timer);
	LIST_REMOVE(c, link);
	free(c);
}

/* --- answers */

static void
query_free(struct dns_query *q)
{
	event_del(&q->answered);
	LIST_REMOVE(q, link);
	dns_reply_done(&q->reply);
	free(q->host);
	free(q);
}

static void
query_answered_event(evutil_socket_t fd, short what, void *arg)
{
	struct dns_query *q = arg;
	struct channel *c = q->channel;
	struct dns_reply reply = q->reply;
	dns_done *done = q->done;
	void *for_whom = q->arg;

	(void)fd, (void)what;
	q->reply = (struct dns_reply){ 0 };
	query_free(q);
	if (--c->queries == 0 && c != c->dns->current)
		channel_free(c);
	if (done != NULL)
		done(for_whom, &reply);
	else
		dns_reply_done(&reply);
}

/* Out of c-ares' own frames, whenever it calls. */
static void
query_finish(struct dns_query *q, const char *why)
{
	if (why != NULL)
		dns_reply_done(&q->reply);
	q->reply.why = why;
	event_active(&q->answered, 0, 0);
}

/* The other family of a name: it has none, or nobody says. */
static void
query_other_family(void *arg, int status, int timeouts,
    struct ares_addrinfo *info)
{
	struct dns_query *q = arg;
	const char *why = NULL;

	(void)timeouts;
	if (status == ARES_SUCCESS)
		why = reply_add_addresses(&q->reply, info);
	else if (status != ARES_ENODATA && status != ARES_ENOTFOUND)
		why = reply_why(status, q->kind);
	if (why != NULL) {
		q->reply.lost = DNS_BOTH & ~dns_families(q->reply.addrs,
		    q->reply.naddrs);
		q->reply.lost_why = why;
	}
	if (info != NULL)
		ares_freeaddrinfo(info);
	query_finish(q, NULL);
}

/* c-ares is content with one family when the question for the other has failed,
 * and does not tell that from a name that has no other.  Where it had one
 * before, that is asked again, alone. */
static bool
query_doubts(struct dns_query *q, int timeouts)
{
	unsigned none = DNS_BOTH & ~dns_families(q->reply.addrs,
	    q->reply.naddrs);
	const struct ares_addrinfo_hints hints = {
		.ai_family = none == DNS_V4 ? AF_INET : AF_INET6,
		.ai_socktype = SOCK_STREAM };

	if ((q->had & none) == 0) {
		q->reply.lost = timeouts > 0 ? none : 0;
		return false;
	}
	ares_getaddrinfo(q->channel->ares, q->host, NULL, &hints,
	    query_other_family, q);
	return true;
}

/* What is known at once stands in /etc/hosts, and has no TTL. */
static void
query_addresses(void *arg, int status, int timeouts,
    struct ares_addrinfo *info)
{
	struct dns_query *q = arg;
	const char *why;

	q->reply.has_ttl = !q->asking;
	why = status == ARES_SUCCESS ? reply_add_addresses(&q->reply, info) :
	    reply_why(status, q->kind);
	if (info != NULL)
		ares_freeaddrinfo(info);
	if (why != NULL || q->asking || !query_doubts(q, timeouts))
		query_finish(q, why);
}

static void
query_services(void *arg, int status, int timeouts, unsigned char *data,
    int len)
{
	struct dns_query *q = arg;

	(void)timeouts;
	query_finish(q, status == ARES_SUCCESS ?
	    reply_add_services(&q->reply, data, (size_t)len) :
	    reply_why(status, q->kind));
}

/* --- what dns.h promises */

static void
query_send(struct dns_query *q)
{
	static const struct ares_addrinfo_hints hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	ares_channel ares = q->channel->ares;

	q->asking = true;
	if (q->kind == DNS_SERVICES)
		ares_search(ares, q->host, 1, 33, query_services, q);
	else
		ares_getaddrinfo(ares, q->host, NULL, &hints, query_addresses,
		    q);
	q->asking = false;
}

struct dns_query *
dns_ask(struct dns *dns, enum dns_kind kind, const char *host, unsigned had,
    dns_done *done, void *arg)
{
	struct dns_query *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	q->host = strdup(host);
	if (q->host == NULL) {
		free(q);
		return NULL;
	}
	q->had = had;
	q->channel = dns->current;
	q->kind = kind;
	q->done = done;
	q->arg = arg;
	event_assign(&q->answered, dns->base, -1, 0, query_answered_event, q);
	LIST_INSERT_HEAD(&dns->queries, q, link);
	q->channel->queries++;
	query_send(q);
	channel_settle(q->channel);
	return q;
}

/* c-ares cannot forget a single question. */
void
dns_cancel(struct dns_query *q)
{
	q->done = NULL;
}

/* Without memory things stay as they are. */
void
dns_reread(struct dns *dns, const struct config *config)
{
	struct channel *old = dns->current, *new = channel_new(dns, config);

	if (new == NULL)
		return;
	dns->current = new;
	if (old->queries == 0)
		channel_free(old);
}

struct dns *
dns_new(struct event_base *base, const struct config *config)
{
	struct dns *dns = calloc(1, sizeof(*dns));

	if (dns == NULL)
		return NULL;
	dns->base = base;
	LIST_INIT(&dns->channels);
	LIST_INIT(&dns->queries);
	if (ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS) {
		dns->current = channel_new(dns, config);
		if (dns->current != NULL)
			return dns;
		ares_library_cleanup();
	}
	free(dns);
	return NULL;
}

void
dns_free(struct dns *dns)
{
	if (dns == NULL)
		return;
	while (!LIST_EMPTY(&dns->channels))
		channel_free(LIST_FIRST(&dns->channels));
	while (!LIST_EMPTY(&dns->queries))
		query_free(LIST_FIRST(&dns->queries));
	ares_library_cleanup();
	free(dns);
}

const char *
dns_library(void)
{
	static char text[32];

	snprintf(text, sizeof(text), "c-ares %s", ares_version(NULL));
	return text;
}

const char *
dns_feature(void)
{
	return "names by c-ares";
}
