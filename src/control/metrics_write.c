#include "metrics.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "reload.h"

/* --- one sample */

static void
sample_begin(struct metrics *m, const char *name, const char *suffix)
{
	struct promtext *line = &m->line;

	promtext_begin(line, m->text, sizeof(m->text), name, suffix);
	if (m->listener != NULL)
		promtext_label(line, "listener", m->listener);
	if (m->upstream != NULL)
		promtext_label(line, "upstream", m->upstream);
	if (m->server != NULL)
		promtext_label(line, "server", m->server);
	if (m->server != NULL && m->known->state->name[0] != '\0')
		promtext_label(line, "name", m->known->state->name);
	if (m->worker != NULL)
		promtext_label(line, "worker", m->worker);
}

static void
sample_end(struct metrics *m, uint64_t value)
{
	evbuffer_add(m->out, m->text, promtext_number(&m->line, value));
}

static void
sample_end_seconds(struct metrics *m, uint64_t us)
{
	evbuffer_add(m->out, m->text, promtext_seconds(&m->line, us));
}

static void
sample(struct metrics *m, const char *name, const char *label,
    const char *value, uint64_t number)
{
	sample_begin(m, name, "");
	promtext_label(&m->line, label, value);
	sample_end(m, number);
}

/* --- the samples of one subject */

/* Counters and what servers count are the same to a reader. */
static uint64_t
row_value(const struct metrics *m, size_t offset)
{
	const void *at = (const char *)m->row + offset;

	return atomic_load_explicit((const _Atomic uint64_t *)at,
	    memory_order_relaxed);
}

void
write_counter(struct metrics *m, const struct family *f)
{
	sample_begin(m, f->name, "");
	sample_end(m, row_value(m, f->offset));
}

void
write_value(struct metrics *m, const struct family *f)
{
	sample_begin(m, f->name, "");
	sample_end(m, f->value(m));
}

void
write_known(struct metrics *m, const struct family *f)
{
	if (f->value(m) != 0)
		write_value(m, f);
}

void
write_seconds(struct metrics *m, const struct family *f)
{
	sample_begin(m, f->name, "");
	sample_end_seconds(m, f->value(m));
}

/* A bucket counts what is in those below it, too; the last is the count. */
void
write_times(struct metrics *m, const struct family *f)
{
	const void *at = (const char *)m->row + f->offset;
	const struct histogram *h = at;
	char le[PROMTEXT_LE];
	uint64_t count = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		count += counter_get(&h->buckets[i]);
		sample_begin(m, f->name, "_bucket");
		promtext_label(&m->line, "le",
		    promtext_le(histogram_bound(i), le));
		sample_end(m, count);
	}
	sample_begin(m, f->name, "_sum");
	sample_end_seconds(m, counter_get(&h->sum_us));
	sample_begin(m, f->name, "_count");
	sample_end(m, count);
}

void
write_bytes(struct metrics *m, const struct family *f)
{
	bool server = f->scope == SCOPE_SERVER;

	sample(m, f->name, "direction", "to_upstream", row_value(m, server ?
	    offsetof(struct server_state, bytes_to_upstream) :
	    offsetof(struct listener_stats, bytes_to_upstream)));
	sample(m, f->name, "direction", "to_client", row_value(m, server ?
	    offsetof(struct server_state, bytes_to_client) :
	    offsetof(struct listener_stats, bytes_to_client)));
}

void
write_ended(struct metrics *m, const struct family *f)
{
	for (size_t by = 0; by < CLOSED_BYS; by++)
		for (size_t how = 0; how < CLOSE_HOWS; how++) {
			sample_begin(m, f->name, "");
			promtext_label(&m->line, "closed_by",
			    closed_by_text((enum closed_by)by));
			promtext_label(&m->line, "how",
			    close_how_text((enum close_how)how));
			sample_end(m, counter_get(&m->counted.ended[by][how]));
		}
}

void
write_reloads(struct metrics *m, const struct family *f)
{
	sample(m, f->name, "result", "done", m->view->reload->done);
	sample(m, f->name, "result", "failed", m->view->reload->failed);
}

/* By the kind of the rule, or "none". */
void
write_routed(struct metrics *m, const struct family *f)
{
	if (!m->routes)
		return;
	for (size_t i = 0; i <= ROUTE_KINDS; i++)
		sample(m, f->name, "rule", i == ROUTE_KINDS ? "none" :
		    route_kind_text((enum route_kind)i),
		    counter_get(&m->counted.routed[i]));
}

void
write_paused(struct metrics *m, const struct family *f)
{
	sample(m, f->name, "reason", "max_sessions",
	    counter_get(&m->counted.paused_full));
	sample(m, f->name, "reason", "session_rate",
	    counter_get(&m->counted.paused_fast));
	sample(m, f->name, "reason", "resources",
	    counter_get(&m->counted.paused_short));
}

void
write_denied(struct metrics *m, const struct family *f)
{
	static const char *const reasons[DENIALS] = {
		[DENIED_BY_RULE] = "deny",
		[DENIED_SESSIONS] = "max_sessions_per_client",
		[DENIED_RATE] = "session_rate_per_client",
	};

	for (size_t i = 0; i < DENIALS; i++)
		sample(m, f->name, "reason", reasons[i],
		    counter_get(&m->counted.denied[i]));
}

void
write_failures(struct metrics *m, const struct family *f)
{
	for (size_t i = 0; i < CONNECT_FAILURES; i++)
		sample(m, f->name, "reason",
		    connect_failure_text((enum connect_failure)i),
		    counter_get(&m->upstreamed.failures[i]));
}

/* --- the subjects of one scope */

static void
write_listeners(struct metrics *m, const struct family *f)
{
	const struct config *config = m->view->config;

	m->row = &m->counted;
	for (size_t i = 0; i < config->nlisteners; i++) {
		m->index = config->listeners[i].index;
		m->listener = config->listeners[i].name;
		m->routes = config->listeners[i].routes.count > 0;
		crew_sum_listener(m->view->crew, m->index, &m->counted);
		f->write(m, f);
	}
	m->listener = NULL;
}

static void
write_upstreams(struct metrics *m, const struct family *f)
{
	const struct config *config = m->view->config;

	m->row = &m->upstreamed;
	for (size_t i = 0; i < config->nupstreams; i++) {
		m->index = config->upstreams[i].index;
		m->upstream = config->upstreams[i].name;
		crew_sum_upstream(m->view->crew, m->index, &m->upstreamed);
		f->write(m, f);
	}
	m->upstream = NULL;
}

static void
write_server(struct metrics *m, const struct family *f,
    const struct server_state *server)
{
	char text[ADDR_TEXT * 4];

	m->row = server;
	m->known = servers_find(m->view->servers, m->index, server);
	if (m->known == NULL)
		return;
	m->server = str_escape(text, sizeof(text), server->text,
	    strlen(server->text));
	f->write(m, f);
	m->server = NULL;
}

static void
write_servers(struct metrics *m, const struct family *f)
{
	const struct config *config = m->view->config;

	for (size_t i = 0; i < config->nupstreams; i++) {
		const struct endpoint_set *set;

		m->index = config->upstreams[i].index;
		m->upstream = config->upstreams[i].name;
		set = resolver_endpoints(m->view->resolver, m->index);
		for (size_t n = 0; set != NULL && n < set->count; n++)
			if (endpoint_set_is_first(set, n))
				write_server(m, f, set->endpoints[n].server);
	}
	m->upstream = NULL;
}

static void
write_workers(struct metrics *m, const struct family *f)
{
	char number[24];

	m->row = &m->counted;
	m->worker = number;
	for (m->index = 0; m->index < crew_size(m->view->crew); m->index++) {
		snprintf(number, sizeof(number), "%zu", m->index);
		crew_sum_worker(m->view->crew, m->index, &m->counted);
		f->write(m, f);
	}
	m->worker = NULL;
}

void
metrics_write(struct metrics *m, const struct family *f)
{
	evbuffer_add(m->out, m->text, promtext_head(m->text, sizeof(m->text),
	    f->name, f->type, f->help));
	switch (f->scope) {
	case SCOPE_PROCESS:
		f->write(m, f);
		break;
	case SCOPE_LISTENER:
		write_listeners(m, f);
		break;
	case SCOPE_UPSTREAM:
		write_upstreams(m, f);
		break;
	case SCOPE_SERVER:
		write_servers(m, f);
		break;
	case SCOPE_WORKER:
		write_workers(m, f);
		break;
	}
}
