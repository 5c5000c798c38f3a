#include "record.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "early.h"
#include "net/sock.h"
#include "worker-internal.h"

#define RIGHT_AFTER_MS 5000

/* A health probe or a port scan: it came, said nothing and left. */
static bool
record_is_probe(const struct session *s)
{
	return s->ending.by == BY_CLIENT && s->to_upstream.bytes == 0 &&
	    s->to_client.bytes == 0 && !s->failed &&
	    (s->early == NULL || s->early->len == 0);
}

static void
record_copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

void
record_route(const struct route_conf *rule, char *text)
{
	text[0] = '\0';
	if (rule != NULL)
		snprintf(text, CLOSERECORD_ROUTE, "%s %s",
		    route_kind_text(rule->kind), rule->text);
}

static void
record_heard(const struct early *e, struct closerecord *r)
{
	r->protocol = e->protocol;
	if (e->sni != NULL)
		record_copy(r->sni, sizeof(r->sni), e->sni);
	if (e->note != NULL)
		record_copy(r->note, sizeof(r->note), e->note);
}

/* A server that takes no PROXY header for one, and hangs up on it. */
static void
record_introduced(const struct session *s, struct closerecord *r)
{
	if (r->note[0] != '\0' || s->introduced == 0 ||
	    s->ending.by != BY_UPSTREAM || s->to_client.bytes > 0 ||
	    (s->ending.how != HOW_FIN && s->ending.how != HOW_RST) ||
	    session_age(s) - s->connected_ms > RIGHT_AFTER_MS)
		return;
	snprintf(r->note, sizeof(r->note), "the server ended right after our "
	    "PROXY header: does it expect one? (send_proxy of upstream %s)",
	    s->target->name);
}

static void
record_names(const struct session *s, struct closerecord *r)
{
	record_copy(r->listener, sizeof(r->listener), s->listener->name);
	record_copy(r->upstream, sizeof(r->upstream),
	    s->target->name);
	if (s->server != NULL) {
		record_copy(r->server, sizeof(r->server), s->server->text);
		record_copy(r->server_name, sizeof(r->server_name),
		    s->server->name);
	}
	r->client = s->peer;
	if (early_via(s) != NULL)
		r->via = *early_via(s);
	record_route(s->route, r->route);
	if (s->early != NULL)
		record_heard(s->early, r);
	record_introduced(s, r);
	r->phase = session_phase(s);
}

/* Nothing can say "reset" to a Unix socket: its side sees a plain end. */
static void
record_untold(const struct session *s, struct closerecord *r)
{
	bool to_client = early_socket(s)->family == AF_UNIX &&
	    s->client.error == 0 && session_cuts(&s->to_client);
	bool to_upstream = s->upstream.open && s->upstream.error == 0 &&
	    s->server->addr.sa.sa_family == AF_UNIX &&
	    session_cuts(&s->to_upstream);

	if (to_client || to_upstream)
		record_copy(r->detail, sizeof(r->detail),
		    "a Unix socket cannot be told of a reset");
}

static void
record_tcp(const struct session *s, struct closerecord *r)
{
	struct sock_info info = { 0 };

	if (s->client.open)
		sock_info(s->client.fd, &info);
	r->client_rtt_us = info.rtt_us;
	r->client_retransmits = info.retransmits;
	info = (struct sock_info){ 0 };
	if (s->upstream.open)
		sock_info(s->upstream.fd, &info);
	r->upstream_rtt_us = info.rtt_us;
	r->upstream_retransmits = info.retransmits;
}

static void
record_fill(const struct session *s, struct closerecord *r)
{
	uint64_t age = worker_now(s->worker) - s->started;

	memset(r, 0, sizeof(*r));
	r->time = clock_wall();
	r->id = session_id(s);
	r->ending = s->ending;
	r->ending.detail = NULL;
	record_names(s, r);
	if (s->ending.detail != NULL)
		record_copy(r->detail, sizeof(r->detail), s->ending.detail);
	str_mask(r->detail, strlen(r->detail));
	if (r->detail[0] == '\0')
		record_untold(s, r);
	r->bytes_to_upstream = relay_delivered(&s->to_upstream);
	r->bytes_to_client = relay_delivered(&s->to_client);
	r->attempts = s->attempts;
	r->queue_ms = s->attempts > 0 ? s->dialed_ms : age;
	r->connect_ms = s->connected_ms;
	r->first_byte_ms = s->first_byte_ms;
	r->total_ms = age;
	record_tcp(s, r);
}

static void
record_put(struct session *s, enum record_event event)
{
	struct worker *w = s->worker;
	struct closerecord *r;

	if (!atomic_load_explicit(&w->shared->records_wanted,
	    memory_order_relaxed))
		return;
	w->records_pending = true;
	r = ring_reserve(w->records);
	if (r == NULL)
		return;
	record_fill(s, r);
	r->event = event;
	ring_push(w->records);
	s->recorded = true;
}

void
session_record(struct session *s)
{
	struct listener_stats *stats = session_stats(s);
	bool probe = record_is_probe(s);

	counter_add(&stats->ended[s->ending.by][s->ending.how], 1);
	if (probe)
		counter_add(&stats->probes, 1);
	else if (s->ending.how != HOW_LIMIT)
		histogram_add(&stats->lasted, 1000 *
		    (worker_now(s->worker) - s->started));
	/* who was told of a session hears of its end, too */
	if (!probe || s->recorded)
		record_put(s, RECORD_END);
}

void
session_record_start(struct session *s)
{
	record_put(s, RECORD_START);
}

void
session_record_interval(struct session *s)
{
	record_put(s, RECORD_INTERVAL);
}
