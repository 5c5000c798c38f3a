/* Names by c-ares, on the main thread's event base: its sockets are events, its
 * timeouts are one timer. */
#include "dns.h"

#include <ares.h>
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
	const struct config  *config;
	struct channel	     *current;
	LIST_HEAD(, channel)  channels;
	LIST_HEAD(, dns_query) queries;
};

struct dns_query {
	LIST_ENTRY(dns_query) link;
	struct channel	     *channel;
	enum dns_kind	      kind;
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
channel_servers(struct channel *c)
{
	const struct global_conf *global = &c->dns->config->global;
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
channel_init(struct channel *c)
{
	static char lookups[] = "fb"; /* /etc/hosts, then DNS */
	struct ares_options options = { .timeout = TIMEOUT_MS, .tries = TRIES,
		.lookups = lookups, .sock_state_cb = channel_watch,
		.sock_state_cb_data = c };
	int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
	    ARES_OPT_SOCK_STATE_CB;

	/* Else as nsswitch.conf has it. */
	if (c->dns->config->global.ndns_servers > 0)
		mask |= ARES_OPT_LOOKUPS;
	if (ares_init_options(&c->ares, &options, mask) != ARES_SUCCESS)
		return -1;
	if (channel_servers(c) == ARES_SUCCESS)
		return 0;
	ares_destroy(c->ares);
	return -1;
}

static struct channel *
channel_new(struct dns *dns)
{
	struct channel *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->dns = dns;
	LIST_INIT(&c->sockets);
	event_assign(&c->timer, dns->base, -1, 0, channel_timer_event, c);
	if (channel_init(c) < 0) {
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

static const char *
status_why(int status, enum dns_kind kind)
{
	switch (status) {
	case ARES_ENODATA:
		return kind == DNS_SERVICES ? "it has no SRV records" :
		    "it has no address";
	case ARES_ENOTFOUND:
		return "no such name";
	case ARES_ESERVFAIL:
		return "the name server failed";
	case ARES_EREFUSED:
		return "the name server refuses to answer";
	case ARES_ETIMEOUT:
		return "no name server answered in time";
	case ARES_ECONNREFUSED:
		return "no name server could or would answer";
	case ARES_EBADRESP:
		return "the answer is broken";
	case ARES_ENOMEM:
		return "out of memory";
	default:
		return ares_strerror(status);
	}
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

static uint32_t
ttl_of(int ttl)
{
	return ttl < 0 ? 0 : (uint32_t)ttl; /* RFC 2181 section 8 */
}

static void
reply_age(struct dns_reply *reply, int ttl)
{
	if (ttl_of(ttl) < reply->ttl)
		reply->ttl = ttl_of(ttl);
}

static const char *
reply_take_addresses(struct dns_reply *reply, const struct ares_addrinfo *info)
{
	size_t count = 0;

	for (struct ares_addrinfo_node *n = info->nodes; n; n = n->ai_next)
		count++;
	if (count == 0)
		return status_why(ARES_ENODATA, DNS_ADDRESSES);
	reply->addrs = calloc(count, sizeof(*reply->addrs));
	if (reply->addrs == NULL)
		return status_why(ARES_ENOMEM, DNS_ADDRESSES);
	reply->ttl = UINT32_MAX;
	for (struct ares_addrinfo_node *n = info->nodes; n; n = n->ai_next) {
		struct addr *addr = &reply->addrs[reply->naddrs++];

		addr_from_sockaddr(addr, n->ai_addr, n->ai_addrlen);
		addr_set_port(addr, 0);
		reply_age(reply, n->ai_ttl);
	}
	for (struct ares_addrinfo_cname *c = info->cnames; c; c = c->next)
		reply_age(reply, c->ttl);
	return NULL;
}

/* What is known at once stands in /etc/hosts, and has no TTL. */
static void
query_addresses(void *arg, int status, int timeouts,
    struct ares_addrinfo *info)
{
	struct dns_query *q = arg;
	const char *why;

	(void)timeouts;
	q->reply.has_ttl = !q->asking;
	why = status == ARES_SUCCESS ? reply_take_addresses(&q->reply, info) :
	    status_why(status, q->kind);
	if (info != NULL)
		ares_freeaddrinfo(info);
	query_finish(q, why);
}

/* "." says that there is no such service: RFC 2782. */
static const char *
reply_take_services(struct dns_reply *reply, const uint8_t *data, size_t len)
{
	struct dns_answer answer;

	reply->services = calloc(dns_answer_room(data, len) + 1,
	    sizeof(*reply->services));
	if (reply->services == NULL)
		return status_why(ARES_ENOMEM, DNS_SERVICES);
	if (dns_answer_parse(&answer, data, len, reply->services) == PARSE_BAD)
		return status_why(ARES_EBADRESP, DNS_SERVICES);
	for (size_t i = 0; i < answer.count; i++)
		if (reply->services[i].target[0] != '\0')
			reply->services[reply->nservices++] =
			    reply->services[i];
	reply->has_ttl = true;
	reply->ttl = answer.ttl;
	return reply->nservices == 0 ? status_why(ARES_ENODATA, DNS_SERVICES) :
	    NULL;
}

static void
query_services(void *arg, int status, int timeouts, unsigned char *data,
    int len)
{
	struct dns_query *q = arg;

	(void)timeouts;
	query_finish(q, status == ARES_SUCCESS ?
	    reply_take_services(&q->reply, data, (size_t)len) :
	    status_why(status, q->kind));
}

/* --- what dns.h promises */

static void
query_send(struct dns_query *q, const char *host)
{
	static const struct ares_addrinfo_hints hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	ares_channel ares = q->channel->ares;

	q->asking = true;
	if (q->kind == DNS_SERVICES)
		ares_search(ares, host, 1, 33, query_services, q);
	else
		ares_getaddrinfo(ares, host, NULL, &hints, query_addresses, q);
	q->asking = false;
}

struct dns_query *
dns_ask(struct dns *dns, enum dns_kind kind, const char *host, dns_done *done,
    void *arg)
{
	struct dns_query *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	q->channel = dns->current;
	q->kind = kind;
	q->done = done;
	q->arg = arg;
	event_assign(&q->answered, dns->base, -1, 0, query_answered_event, q);
	LIST_INSERT_HEAD(&dns->queries, q, link);
	q->channel->queries++;
	query_send(q, host);
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
dns_reread(struct dns *dns)
{
	struct channel *old = dns->current, *new = channel_new(dns);

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
	dns->config = config;
	LIST_INIT(&dns->channels);
	LIST_INIT(&dns->queries);
	if (ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS) {
		dns->current = channel_new(dns);
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
