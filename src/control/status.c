#include "status.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/human.h"
#include "logwriter.h"
#include "process.h"

void
status_sum(const struct admin_view *view, struct status *status)
{
	struct listener_stats sum;
	struct process process;

	process_look(&process);
	*status = (struct status){
		.sessions = crew_sessions(view->crew),
		.max_sessions = crew_shared(view->crew)->sessions.max,
		.log_drops = logwriter_dropped(LOGDEVICE_MESSAGES) +
		    logwriter_dropped(LOGDEVICE_RECORDS),
		.fds = process.fds,
		.max_fds = process.max_fds,
	};
	for (size_t i = 0; i < crew_size(view->crew); i++) {
		crew_sum_worker(view->crew, i, &sum);
		status->begun += counter_get(&sum.begun);
		status->ended += listener_stats_ended(&sum);
		status->to_upstream += counter_get(&sum.bytes_to_upstream);
		status->to_client += counter_get(&sum.bytes_to_client);
	}
}

bool
status_ready(const struct admin_view *view)
{
	return view->stop->stage == STOP_RUNNING && !drains_all(view->drains);
}

const char *
status_word(const struct admin_view *view)
{
	if (status_ready(view))
		return "serving";
	return view->stop->stage == STOP_RUNNING ? "drained" : "draining";
}

const char *
status_age(const struct admin_view *view, char *text)
{
	uint64_t s = (clock_ms() - view->started_ms) / 1000;

	if (s >= 60)
		return human_duration(s * 1000, text);
	snprintf(text, HUMAN_TEXT, "%us", (unsigned)s);
	return text;
}

const char *
status_last_error(const struct server_state *server)
{
	int error = atomic_load_explicit(&server->last_error,
	    memory_order_relaxed);
	const char *text = error == 0 ? NULL : strerrordesc_np(-error);

	return error != 0 && text == NULL ? "unknown error" : text;
}

bool
status_next(const struct admin_view *view, size_t *i, size_t *n,
    struct status_row *row)
{
	size_t count;

	if (*i >= view->config->nupstreams)
		return false;
	row->upstream = &view->config->upstreams[*i];
	row->set = resolver_endpoints(view->resolver, row->upstream->index);
	count = row->set != NULL ? row->set->count : 0;
	row->endpoint = *n < count ? &row->set->endpoints[*n] : NULL;
	row->server = row->endpoint == NULL ? NULL :
	    servers_find(view->servers, row->upstream->index,
	    row->endpoint->server);
	row->first = *n == 0;
	row->last = *n + 1 >= count;
	*n = row->last ? 0 : *n + 1;
	if (row->last)
		++*i;
	return true;
}
