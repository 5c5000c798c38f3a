#include "status_text.h"

#include <string.h>
#include <unistd.h>

#include "base/human.h"
#include "control/version.h"
#include "pauses.h"
#include "reload.h"
#include "status.h"

#define NAME_WIDTH 8 /* at least */

/* What is long and of any length stands last in a line. */
static int
name_width(const struct admin_view *view)
{
	size_t width = NAME_WIDTH, len;

	for (size_t i = 0; i < view->config->nlisteners; i++)
		if ((len = strlen(view->config->listeners[i].name)) > width)
			width = len;
	for (size_t i = 0; i < view->config->nupstreams; i++)
		if ((len = strlen(view->config->upstreams[i].name)) > width)
			width = len;
	return (int)width;
}

/* --- the daemon */

static void
text_sums(struct evbuffer *out, const struct status *status)
{
	char up[HUMAN_TEXT], down[HUMAN_TEXT];

	evbuffer_add_printf(out, "sessions  %llu of at most %llu; %llu begun, "
	    "%llu ended\n", (unsigned long long)status->sessions,
	    (unsigned long long)status->max_sessions,
	    (unsigned long long)status->begun,
	    (unsigned long long)status->ended);
	evbuffer_add_printf(out, "bytes     %s to upstreams, %s to clients\n",
	    human_bytes(status->to_upstream, up),
	    human_bytes(status->to_client, down));
	if (status->fds > 0)
		evbuffer_add_printf(out, "files     %llu open of at most "
		    "%llu\n", (unsigned long long)status->fds,
		    (unsigned long long)status->max_fds);
	if (status->log_drops > 0)
		evbuffer_add_printf(out, "log       %llu records dropped\n",
		    (unsigned long long)status->log_drops);
}

static void
text_restart(void *out, const struct diff *d)
{
	char text[RELOAD_CHANGE];

	evbuffer_add_printf(out, "          takes a restart: %s\n",
	    reload_change_text(d, text, sizeof(text)));
}

/* What is in use, and that the file says something else by now. */
static void
text_config(struct evbuffer *out, const struct admin_view *view)
{
	const struct reload *reload = view->reload;
	char read[CLOCK_TEXT];

	evbuffer_add_printf(out, "config    %s, read %.19sZ\n",
	    view->path != NULL ? view->path :
	    "of the command line", clock_text(reload->last_wall, read));
	if (reload->last_failed)
		evbuffer_add_printf(out, "          NOT RELOADED since: %s\n",
		    reload->why);
	reload_tell_restart(view->control, text_restart, out);
}

static void
text_begin(struct report *r)
{
	const struct admin_view *view = r->view;
	struct status status;
	char age[HUMAN_TEXT];

	r->width = name_width(view);
	status_sum(view, &status);
	evbuffer_add_printf(r->out, "sluice    %s (%s), pid %d\n",
	    version_number(), version_build(), (int)getpid());
	evbuffer_add_printf(r->out, "state     %s%s for %s, since %.19sZ\n",
	    status_word(view), status_ready(view) ? "" : ", running",
	    status_age(view, age), view->started);
	text_config(r->out, view);
	text_sums(r->out, &status);
}

/* --- listeners */

static void
text_listeners_begin(struct report *r)
{
	evbuffer_add_printf(r->out, "\n%-*s %8s %8s %10s %12s %10s  %s\n",
	    r->width, "LISTENER", "SESSIONS", "AT MOST", "BEGUN",
	    "TO UPSTREAM", "TO CLIENT", "FORWARDS");
}

static void
text_forwards(struct evbuffer *out, const struct listener_conf *l)
{
	for (size_t i = 0; i < l->nbinds; i++)
		evbuffer_add_printf(out, "%s%s", i > 0 ? ", " : "",
		    l->binds[i].text);
	evbuffer_add_printf(out, " -> %s\n", l->upstream->name);
}

static bool
text_listener(struct report *r)
{
	const struct listener_conf *l = &r->view->config->listeners[r->i];
	const struct session_limit *limit;
	char up[HUMAN_TEXT], down[HUMAN_TEXT], max[HUMAN_TEXT] = "-";
	struct listener_stats sum;

	if (r->i >= r->view->config->nlisteners)
		return false;
	r->i++;
	limit = &crew_shared(r->view->crew)->listeners[l->index];
	crew_sum_listener(r->view->crew, l->index, &sum);
	if (limit->max > 0)
		snprintf(max, sizeof(max), "%llu",
		    (unsigned long long)limit->max);
	evbuffer_add_printf(r->out, "%-*s %8llu %8s %10llu %12s %10s  ",
	    r->width, l->name, (unsigned long long)
	    atomic_load_explicit(&limit->used, memory_order_relaxed), max,
	    (unsigned long long)counter_get(&sum.begun),
	    human_bytes(counter_get(&sum.bytes_to_upstream), up),
	    human_bytes(counter_get(&sum.bytes_to_client), down));
	text_forwards(r->out, l);
	return true;
}

/* --- servers */

static void
text_servers_begin(struct report *r)
{
	evbuffer_add_printf(r->out, "\n%-*s %8s %8s %10s %12s %10s  %s\n",
	    r->width, "UPSTREAM", "SESSIONS", "FAILURES",
	    "CONNECTS", "TO UPSTREAM", "TO CLIENT", "SERVER");
}

static void
text_no_server(struct report *r, const struct status_row *row)
{
	const char *why = row->set != NULL ? row->set->why : "";

	evbuffer_add_printf(r->out, "%-*s %8s %8s %10s %12s %10s  "
	    "no address yet%s%s\n", r->width, row->upstream->name,
	    "-", "-", "-", "-", "-", *why != '\0' ? ": " : "", why);
}

/* Why no new session goes there, and the end of the line. */
static void
text_out(struct evbuffer *out, const struct server_state *s,
    const struct server *known)
{
	char state[SERVERS_STATE], why[SERVERS_WHY];

	if (!server_state_usable(s) && known != NULL)
		evbuffer_add_printf(out, ", %s: %s",
		    servers_state(s->out, state), servers_why(known, why));
	evbuffer_add(out, "\n", 1);
}

static bool
text_server(struct report *r)
{
	char up[HUMAN_TEXT], down[HUMAN_TEXT], name[SERVERS_NAME];
	const struct server_state *s;
	struct status_row row;
	const char *error;

	if (!status_next(r->view, &r->i, &r->n, &row))
		return false;
	if (row.endpoint == NULL) {
		if (row.first)
			text_no_server(r, &row);
		return true;
	}
	s = row.endpoint->server;
	error = status_last_error(s);
	evbuffer_add_printf(r->out, "%-*s %8llu %8llu %10llu %12s %10s  "
	    "%s%s%s%s", r->width, row.upstream->name,
	    (unsigned long long)s->sessions, (unsigned long long)s->failures,
	    (unsigned long long)s->connects,
	    human_bytes(s->bytes_to_upstream, up),
	    human_bytes(s->bytes_to_client, down),
	    row.server != NULL ? servers_name(row.server, name) : s->text,
	    row.endpoint->backup ? " (backup)" : "",
	    error != NULL ? ", last failure: " : "",
	    error != NULL ? error : "");
	text_out(r->out, s, row.server);
	return true;
}

static void
text_end(struct report *r)
{
	drains_text(r->view->drains, r->out);
	pauses_text(r->view, r->out);
}

const struct report_part STATUS_TEXT[] = {
	{ text_begin, NULL, NULL },
	{ text_listeners_begin, text_listener, NULL },
	{ text_servers_begin, text_server, text_end },
};

const size_t STATUS_TEXT_COUNT = sizeof(STATUS_TEXT) / sizeof(STATUS_TEXT[0]);
