/* /metrics, for Prometheus: families of samples.  Labels name what the
 * configuration names, servers and workers: their number is bounded. */
#include "metrics.h"

#include <stdlib.h>

#include "health.h"
#include "logwriter.h"
#include "name_text.h"
#include "proxy/waitlist.h"
#include "reload.h"

#define PIECE 16384 /* of the page, between two turns of the loop */

/* --- what is not in a row */

static void
write_build(struct metrics *m, const struct family *f)
{
	struct promtext *line = &m->line;

	promtext_begin(line, m->text, sizeof(m->text), f->name, "");
	promtext_label(line, "version", SLUICE_VERSION);
	promtext_label(line, "build", SLUICE_BUILD);
	promtext_label(line, "libevent", event_get_version());
	evbuffer_add(m->out, m->text, promtext_number(line, 1));
}

static struct shared *
metrics_shared(const struct metrics *m)
{
	return crew_shared(m->view->crew);
}

static uint64_t
value_used(const struct session_limit *limit)
{
	return atomic_load_explicit(&limit->used, memory_order_relaxed);
}

static uint64_t
value_sessions(const struct metrics *m)
{
	return value_used(&metrics_shared(m)->sessions);
}

static uint64_t
value_max_sessions(const struct metrics *m)
{
	return metrics_shared(m)->sessions.max;
}

static uint64_t
value_workers(const struct metrics *m)
{
	return crew_size(m->view->crew);
}

static uint64_t
value_draining(const struct metrics *m)
{
	return m->view->stop->stage != STOP_RUNNING;
}

/* Nanoseconds since 1970. */
static uint64_t
value_started_us(const struct metrics *m)
{
	return m->view->started_wall / 1000;
}

static uint64_t
value_lost_messages(const struct metrics *m)
{
	(void)m;
	return logwriter_dropped(LOGDEVICE_MESSAGES);
}

static uint64_t
value_lost_records(const struct metrics *m)
{
	(void)m;
	return logwriter_dropped(LOGDEVICE_RECORDS);
}

static uint64_t
value_reload_good(const struct metrics *m)
{
	return !m->view->reload->last_failed;
}

static uint64_t
value_reloaded_us(const struct metrics *m)
{
	return m->view->reload->last_wall / 1000;
}

static uint64_t
value_cpu_us(const struct metrics *m)
{
	return m->process.cpu_us;
}

static uint64_t
value_resident(const struct metrics *m)
{
	return m->process.resident_bytes;
}

static uint64_t
value_virtual(const struct metrics *m)
{
	return m->process.virtual_bytes;
}

static uint64_t
value_fds(const struct metrics *m)
{
	return m->process.fds;
}

static uint64_t
value_max_fds(const struct metrics *m)
{
	return m->process.max_fds;
}

static uint64_t
value_listener_sessions(const struct metrics *m)
{
	return value_used(&metrics_shared(m)->listeners[m->index]);
}

static uint64_t
value_listener_max(const struct metrics *m)
{
	return metrics_shared(m)->listeners[m->index].max;
}

static uint64_t
value_listener_drained(const struct metrics *m)
{
	return doors_is_drained(m->view->doors, m->index);
}

static uint64_t
value_server_drained(const struct metrics *m)
{
	return (atomic_load_explicit(&m->known->state->out,
	    memory_order_relaxed) & SERVER_DRAINING) != 0;
}

static uint64_t
value_upstream_waiting(const struct metrics *m)
{
	return waitlist_length(&metrics_shared(m)->waits[m->index]);
}

static uint64_t
value_upstream_paused(const struct metrics *m)
{
	return waitlist_is_paused(&metrics_shared(m)->waits[m->index]);
}

static uint64_t
value_upstream_names_failing(const struct metrics *m)
{
	return names_failing(resolver_names(m->view->resolver, m->index));
}

static uint64_t
value_upstream_names_stale(const struct metrics *m)
{
	return names_stale(resolver_names(m->view->resolver, m->index));
}

static uint64_t
value_upstream_stale_us(const struct metrics *m)
{
	return 1000 * names_stale_ms(resolver_names(m->view->resolver,
	    m->index), clock_ms());
}

static uint64_t
value_worker_sessions(const struct metrics *m)
{
	return worker_sessions(crew_worker(m->view->crew, m->index));
}

static uint64_t
value_worker_stuck(const struct metrics *m)
{
	return pulse_stuck_ms(m->view->pulse, m->index) > 0;
}

static uint64_t
value_worker_stalls(const struct metrics *m)
{
	return pulse_stalls(m->view->pulse, m->index);
}

static uint64_t
value_server_up(const struct metrics *m)
{
	return server_state_usable(m->known->state);
}

static uint64_t
value_server_changes(const struct metrics *m)
{
	return m->known->changes;
}

/* Each address to connect from has all of them; those of clients are not
 * counted. */
static uint64_t
value_server_local_ports(const struct metrics *m)
{
	const struct upstream_conf *conf = m->known->upstream;
	int family = m->known->state->addr.sa.sa_family;
	uint64_t sources = 0;

	if (family == AF_UNIX || conf->source_client)
		return 0;
	for (size_t i = 0; i < conf->nsources; i++)
		sources += conf->sources[i].sa.sa_family == family;
	return m->process.local_ports * (sources == 0 ? 1 : sources);
}

static uint64_t
value_server_checks(const struct metrics *m)
{
	struct health health;

	return health_get(m->known, &health) ? health.checks : 0;
}

static uint64_t
value_server_check_failures(const struct metrics *m)
{
	struct health health;

	return health_get(m->known, &health) ? health.failures : 0;
}

static uint64_t
value_server_ejections(const struct metrics *m)
{
	return m->known->eject.count;
}

/* --- the families */

#define COUNTER "counter"
#define GAUGE	"gauge"
#define HISTOGRAM "histogram"

#define IN_LISTENER(member) .offset = offsetof(struct listener_stats, member)
#define IN_UPSTREAM(member) .offset = offsetof(struct upstream_stats, member)
#define IN_SERVER(member)   .offset = offsetof(struct server_state, member)

static const struct family FAMILIES[] = {
	{ SCOPE_PROCESS, "sluice_build_info", GAUGE,
	    "1; what runs is in the labels.",
	    .write = write_build },
	{ SCOPE_PROCESS, "sluice_workers", GAUGE,
	    "Worker threads.",
	    .write = write_value, .value = value_workers },
	{ SCOPE_PROCESS, "sluice_sessions", GAUGE,
	    "Sessions now.",
	    .write = write_value, .value = value_sessions },
	{ SCOPE_PROCESS, "sluice_max_sessions", GAUGE,
	    "Sessions that may be at once (max_sessions of [global]).",
	    .write = write_value, .value = value_max_sessions },
	{ SCOPE_PROCESS, "sluice_draining", GAUGE,
	    "1 while no client is accepted any more and sessions end.",
	    .write = write_value, .value = value_draining },
	{ SCOPE_PROCESS, "sluice_log_messages_dropped_total", COUNTER,
	    "Messages that the log could not take.",
	    .write = write_value, .value = value_lost_messages },
	{ SCOPE_PROCESS, "sluice_log_records_dropped_total", COUNTER,
	    "Records of sessions that the log could not take.",
	    .write = write_value, .value = value_lost_records },
	{ SCOPE_PROCESS, "sluice_reloads_total", COUNTER,
	    "Times the configuration was read again.",
	    .write = write_reloads },
	{ SCOPE_PROCESS, "sluice_config_last_reload_successful", GAUGE,
	    "0 while what was read last is wrong and what was before goes on.",
	    .write = write_value, .value = value_reload_good },
	{ SCOPE_PROCESS, "sluice_config_last_load_time_seconds", GAUGE,
	    "When the configuration in use was read, in seconds since 1970.",
	    .write = write_seconds, .value = value_reloaded_us },

	{ SCOPE_LISTENER, "sluice_listener_sessions", GAUGE,
	    "Sessions now.",
	    .write = write_value, .value = value_listener_sessions },
	{ SCOPE_LISTENER, "sluice_listener_max_sessions", GAUGE,
	    "Sessions that may be at once, where the listener has a limit.",
	    .write = write_known, .value = value_listener_max },
	{ SCOPE_LISTENER, "sluice_listener_drained", GAUGE,
	    "1 while an operator drains it: no client is accepted.",
	    .write = write_value, .value = value_listener_drained },
	{ SCOPE_LISTENER, "sluice_listener_sessions_begun_total", COUNTER,
	    "Clients that were accepted and became sessions.",
	    .write = write_counter, IN_LISTENER(begun) },
	{ SCOPE_LISTENER, "sluice_listener_sessions_ended_total", COUNTER,
	    "Sessions that ended, by who ended them and how.",
	    .write = write_ended },
	{ SCOPE_LISTENER, "sluice_listener_probes_total", COUNTER,
	    "Sessions that the client ended without a byte either way; they"
	    " are among those that ended.",
	    .write = write_counter, IN_LISTENER(probes) },
	{ SCOPE_LISTENER, "sluice_listener_refused_total", COUNTER,
	    "Clients that were accepted and reset at once, for want of "
	    "memory or because the daemon stops.",
	    .write = write_counter, IN_LISTENER(refused) },
	{ SCOPE_LISTENER, "sluice_listener_denied_total", COUNTER,
	    "Sessions that were not let in, by the rule; they are among those "
	    "that ended.",
	    .write = write_denied },
	{ SCOPE_LISTENER, "sluice_listener_bad_greetings_total", COUNTER,
	    "Sessions that ended since their PROXY header was wrong, late, or "
	    "from somebody who may not send one.",
	    .write = write_counter, IN_LISTENER(bad_greetings) },
	{ SCOPE_LISTENER, "sluice_listener_routed_total", COUNTER,
	    "Sessions that a rule gave an upstream, by what it matches; none "
	    "is for those that no rule matched. For listeners with rules.",
	    .write = write_routed },
	{ SCOPE_LISTENER, "sluice_listener_accept_pauses_total", COUNTER,
	    "Times that accepting stopped, and clients had to wait.",
	    .write = write_paused },
	{ SCOPE_LISTENER, "sluice_listener_bytes_total", COUNTER,
	    "Bytes that were delivered.",
	    .write = write_bytes },
	{ SCOPE_LISTENER, "sluice_listener_session_duration_seconds", HISTOGRAM,
	    "How long sessions lasted, without probes and those not let in.",
	    .write = write_times, IN_LISTENER(lasted) },

	{ SCOPE_UPSTREAM, "sluice_upstream_connect_attempts_total", COUNTER,
	    "Attempts to connect to a server.",
	    .write = write_counter, IN_UPSTREAM(attempts) },
	{ SCOPE_UPSTREAM, "sluice_upstream_connect_failures_total", COUNTER,
	    "Attempts that failed, by why.",
	    .write = write_failures },
	{ SCOPE_UPSTREAM, "sluice_upstream_sessions_total", COUNTER,
	    "Sessions that got a connection.",
	    .write = write_counter, IN_UPSTREAM(sessions) },
	{ SCOPE_UPSTREAM, "sluice_upstream_waiting_sessions", GAUGE,
	    "Sessions that wait now: all servers are full, none is up, or the "
	    "upstream is paused.",
	    .write = write_value, .value = value_upstream_waiting },
	{ SCOPE_UPSTREAM, "sluice_upstream_waited_total", COUNTER,
	    "Sessions that had to wait for a server.",
	    .write = write_counter, IN_UPSTREAM(waited) },
	{ SCOPE_UPSTREAM, "sluice_upstream_wait_timeouts_total", COUNTER,
	    "Sessions that waited and got no server in time.",
	    .write = write_counter, IN_UPSTREAM(wait_timeouts) },
	{ SCOPE_UPSTREAM, "sluice_upstream_paused", GAUGE,
	    "1 while an operator has paused it.",
	    .write = write_value, .value = value_upstream_paused },
	{ SCOPE_UPSTREAM, "sluice_upstream_names_failing", GAUGE,
	    "Names that were not resolved when they were last asked for; what "
	    "they gave before is used for an hour.",
	    .write = write_value, .value = value_upstream_names_failing },
	{ SCOPE_UPSTREAM, "sluice_upstream_names_stale", GAUGE,
	    "Those of them whose addresses of before are in use.",
	    .write = write_value, .value = value_upstream_names_stale },
	{ SCOPE_UPSTREAM, "sluice_upstream_names_stale_seconds", GAUGE,
	    "For how long the name has failed that is stale the longest; 0: "
	    "none is.",
	    .write = write_seconds, .value = value_upstream_stale_us },
	{ SCOPE_UPSTREAM, "sluice_upstream_connect_duration_seconds", HISTOGRAM,
	    "How long the attempts that succeeded took.",
	    .write = write_times, IN_UPSTREAM(connecting) },

	{ SCOPE_SERVER, "sluice_server_sessions", GAUGE,
	    "Sessions now.",
	    .write = write_counter, IN_SERVER(sessions) },
	{ SCOPE_SERVER, "sluice_server_sessions_total", COUNTER,
	    "Sessions that were connected to the server.",
	    .write = write_counter, IN_SERVER(connects) },
	{ SCOPE_SERVER, "sluice_server_connect_failures_total", COUNTER,
	    "Attempts to connect that failed.",
	    .write = write_counter, IN_SERVER(failures) },
	{ SCOPE_SERVER, "sluice_server_up", GAUGE,
	    "1 while new sessions may go to the server, 0 while it is out.",
	    .write = write_value, .value = value_server_up },
	{ SCOPE_SERVER, "sluice_server_drained", GAUGE,
	    "1 while an operator drains it: no session begins there.",
	    .write = write_value, .value = value_server_drained },
	{ SCOPE_SERVER, "sluice_server_local_ports", GAUGE,
	    "Ports of this host for connections to the server, from all of "
	    "source; each session takes one, and for a minute after it if we "
	    "closed it first.",
	    .write = write_known, .value = value_server_local_ports },
	{ SCOPE_SERVER, "sluice_server_changes_total", COUNTER,
	    "Times that the server went out or came back.",
	    .write = write_value, .value = value_server_changes },
	{ SCOPE_SERVER, "sluice_server_ejections_total", COUNTER,
	    "Times that it was ejected (eject_after).",
	    .write = write_value, .value = value_server_ejections },
	{ SCOPE_SERVER, "sluice_server_checks_total", COUNTER,
	    "Health checks.",
	    .write = write_value, .value = value_server_checks },
	{ SCOPE_SERVER, "sluice_server_check_failures_total", COUNTER,
	    "Those of them that failed, where some did.",
	    .write = write_value, .value = value_server_check_failures },
	{ SCOPE_SERVER, "sluice_server_bytes_total", COUNTER,
	    "Bytes that were delivered in sessions that have ended.",
	    .write = write_bytes },

	{ SCOPE_WORKER, "sluice_worker_sessions", GAUGE,
	    "Sessions now, and clients on their way to the worker.",
	    .write = write_value, .value = value_worker_sessions },
	{ SCOPE_WORKER, "sluice_worker_sessions_begun_total", COUNTER,
	    "Sessions that began on the worker.",
	    .write = write_counter, IN_LISTENER(begun) },
	{ SCOPE_WORKER, "sluice_worker_handed_over_total", COUNTER,
	    "Clients that the worker accepted and gave to another.",
	    .write = write_counter, IN_LISTENER(handed_over) },
	{ SCOPE_WORKER, "sluice_worker_stuck", GAUGE,
	    "1 while the worker has not turned for 5 seconds, and its sessions "
	    "stand still.",
	    .write = write_value, .value = value_worker_stuck },
	{ SCOPE_WORKER, "sluice_worker_stalls_total", COUNTER,
	    "Times that it did not turn for 5 seconds.",
	    .write = write_value, .value = value_worker_stalls },
	{ SCOPE_WORKER, "sluice_worker_bytes_total", COUNTER,
	    "Bytes that were delivered.",
	    .write = write_bytes },

	{ SCOPE_PROCESS, "process_start_time_seconds", GAUGE,
	    "When the process started, in seconds since 1970.",
	    .write = write_seconds, .value = value_started_us },
	{ SCOPE_PROCESS, "process_cpu_seconds_total", COUNTER,
	    "Processor time, of user and system.",
	    .write = write_seconds, .value = value_cpu_us },
	{ SCOPE_PROCESS, "process_resident_memory_bytes", GAUGE,
	    "Resident memory.",
	    .write = write_known, .value = value_resident },
	{ SCOPE_PROCESS, "process_virtual_memory_bytes", GAUGE,
	    "Virtual memory.",
	    .write = write_known, .value = value_virtual },
	{ SCOPE_PROCESS, "process_open_fds", GAUGE,
	    "Open file descriptors.",
	    .write = write_known, .value = value_fds },
	{ SCOPE_PROCESS, "process_max_fds", GAUGE,
	    "File descriptors that may be open.",
	    .write = write_known, .value = value_max_fds },
};

#define FAMILY_COUNT (sizeof(FAMILIES) / sizeof(FAMILIES[0]))

/* --- the page */

static enum admin_more
metrics_fill(void *arg, struct evbuffer *out)
{
	struct metrics *m = arg;

	m->out = out;
	while (m->next < FAMILY_COUNT && evbuffer_get_length(out) < PIECE)
		metrics_write(m, &FAMILIES[m->next++]);
	return m->next == FAMILY_COUNT ? ADMIN_DONE : ADMIN_MORE;
}

static void
metrics_done(void *arg)
{
	free(arg);
}

static const struct admin_source METRICS = { .fill = metrics_fill,
	.done = metrics_done };

void
api_metrics(struct admin_request *req)
{
	struct metrics *m = line_alloc(sizeof(*m));

	if (m == NULL) {
		admin_fail(req, 500, "out of memory");
		return;
	}
	m->view = admin_view(req);
	process_look(&m->process);
	admin_stream(req, PROMTEXT_TYPE, &METRICS, m);
}
