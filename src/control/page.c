/* The status page, for people: the tables. */
#include "page.h"

#include "base/clock.h"
#include "base/human.h"
#include "control/version.h"
#include "name_text.h"
#include "pauses.h"
#include "status.h"

/* A number of a row: narrow screens have no heads of columns, but the label. */
static void
cell(struct evbuffer *out, const char *class, const char *label)
{
	evbuffer_add_printf(out, "<td class=\"%s\" data-l=\"%s\">", class,
	    label);
}

static void
cell_number(struct evbuffer *out, const char *label, uint64_t value)
{
	cell(out, "n", label);
	page_number(out, value);
}

/* Bytes; and those of a second, where that is known. */
static void
cell_bytes(struct evbuffer *out, const char *label, uint64_t bytes,
    double rate)
{
	char text[HUMAN_TEXT];

	cell(out, "n", label);
	evbuffer_add_printf(out, "%s", human_bytes(bytes, text));
	if (rate >= 1)
		evbuffer_add_printf(out, "<br><i>%s/s</i>",
		    human_bytes((uint64_t)rate, text));
}

/* What a row is about. */
static void
cell_name(struct evbuffer *out, const char *name)
{
	evbuffer_add_printf(out, "<td class=h>");
	page_text(out, name);
}

static void
table_end(struct report *r)
{
	evbuffer_add_printf(r->out, "</table></div>\n");
}

/* --- listeners */

static void
listeners_begin(struct report *r)
{
	evbuffer_add_printf(r->out, "<h2>Listeners</h2><div class=box><table>"
	    "<tr><th>name<th>accepts on<th>upstream"
	    "<th class=n>sessions<th class=n>begun"
	    "<th class=n>to upstream<th class=n>to client</tr>\n");
}

static void
listener_names(struct evbuffer *out, const struct listener_conf *l)
{
	evbuffer_add_printf(out, "<tr>");
	cell_name(out, l->name);
	evbuffer_add_printf(out, "<td class=h>");
	for (size_t i = 0; i < l->nbinds; i++) {
		evbuffer_add_printf(out, i > 0 ? "<br>" : "");
		page_text(out, l->binds[i].text);
	}
	cell(out, "", "upstream");
	page_text(out, l->upstream->name);
}

static void
listener_sessions(struct evbuffer *out, const struct session_limit *limit)
{
	cell_number(out, "sessions", atomic_load_explicit(&limit->used,
	    memory_order_relaxed));
	if (limit->max > 0) {
		evbuffer_add_printf(out, " <i>of ");
		page_number(out, limit->max);
		evbuffer_add_printf(out, "</i>");
	}
}

static bool
listener_row(struct report *r)
{
	struct crew *crew = r->view->crew;
	const struct listener_conf *l;
	struct listener_stats sum;
	struct rate rate = { 0 };

	if (r->i >= r->view->config->nlisteners)
		return false;
	l = &r->view->config->listeners[r->i];
	crew_sum_listener(crew, l->index, &sum);
	rates_get(r->view->rates, l->index, 10, &rate);
	listener_names(r->out, l);
	listener_sessions(r->out, &crew_shared(crew)->listeners[l->index]);
	cell_number(r->out, "begun", counter_get(&sum.begun));
	if (rate.sessions >= 0.1)
		evbuffer_add_printf(r->out, "<br><i>%.1f/s</i>",
		    rate.sessions);
	cell_bytes(r->out, "to upstream", counter_get(&sum.bytes_to_upstream),
	    rate.to_upstream);
	cell_bytes(r->out, "to client", counter_get(&sum.bytes_to_client),
	    rate.to_client);
	evbuffer_add_printf(r->out, "</tr>\n");
	r->i++;
	return true;
}

/* --- servers */

static void
servers_begin(struct report *r)
{
	evbuffer_add_printf(r->out, "<h2>Servers</h2><div class=box><table>"
	    "<tr><th>upstream<th>server<th>state<th class=n>weight"
	    "<th class=n>sessions<th class=n>connects"
	    "<th class=n>failures</tr>\n");
}

static void
upstream_paused(struct evbuffer *out, const struct change *pause)
{
	char age[HUMAN_TEXT], at[CLOCK_TEXT];

	evbuffer_add_printf(out, "<br><b class=bad>PAUSED</b> <i>%s<br>since "
	    "%.19sZ<br>by %s</i>", human_duration(clock_ms() - pause->since,
	    age), clock_text(pause->at, at), pause->who);
}

/* Its name, once, and what holds for all of its servers. */
static void
upstream_cell(struct report *r, const struct status_row *row)
{
	const struct change *pause = pauses_find(r->view->servers,
	    row->upstream);
	uint64_t waiting = pauses_waiting(r->view, row->upstream);

	cell_name(r->out, row->first ? row->upstream->name : "");
	if (!row->first)
		return;
	if (row->set != NULL && row->set->count > 1)
		evbuffer_add_printf(r->out, "<br><i>%s</i>",
		    balance_text(row->upstream->balance));
	if (pause != NULL)
		upstream_paused(r->out, pause);
	if (waiting > 0)
		evbuffer_add_printf(r->out, "<br><i>%ju wait%s</i>",
		    (uintmax_t)waiting, waiting == 1 ? "s" : "");
}

/* Why so is said of its names. */
static void
server_none(struct report *r, const struct status_row *row)
{
	evbuffer_add_printf(r->out, "<tr>");
	upstream_cell(r, row);
	evbuffer_add_printf(r->out, "<td class=\"h bad\" colspan=6>no address "
	    "yet</tr>\n");
}

/* Names that give no address, or none that is new. */
static void
server_names(struct report *r, const struct status_row *row)
{
	const struct names *names = resolver_names(r->view->resolver,
	    row->upstream->index);
	char age[HUMAN_TEXT], words[NAME_WORDS];
	const struct name *name;
	uint64_t now = clock_ms();

	for (size_t i = 0; (name = names_at(names, i)) != NULL; i++) {
		if (name_state(name) == NAME_GOOD)
			continue;
		evbuffer_add_printf(r->out, "<tr>");
		cell_name(r->out, "");
		cell_name(r->out, name->host);
		evbuffer_add_printf(r->out, "<td class=\"h bad\" colspan=5>"
		    "%s <i>%s</i><br><i>",
		    name_state_text(name_state(name)),
		    human_duration(name_age(name, now), age));
		page_text(r->out, name_words(name, now, words));
		evbuffer_add_printf(r->out, "</i></tr>\n");
	}
}

static void
server_failures(struct evbuffer *out, const struct server_state *s)
{
	const char *error = status_last_error(s);

	cell(out, s->failures > 0 ? "n bad" : "n", "failures");
	page_number(out, s->failures);
	if (error != NULL)
		evbuffer_add_printf(out, "<br><i>%s</i>", error);
}

/* "up" for so long, or why not. */
static void
server_state_cell(struct evbuffer *out, const struct server *s)
{
	char state[SERVERS_STATE], age[HUMAN_TEXT], why[SERVERS_WHY];
	bool up = server_state_usable(s->state);

	cell(out, up ? "" : "h bad", "state");
	evbuffer_add_printf(out, "%s <i>%s</i>",
	    servers_state(s->state->out, state),
	    human_duration(clock_ms() - s->since, age));
	if (up)
		return;
	evbuffer_add_printf(out, "<br><i>");
	page_text(out, servers_why(s, why));
	evbuffer_add_printf(out, "</i>");
}

static void
server_name_cell(struct evbuffer *out, const struct server_state *s)
{
	bool named = s->name[0] != '\0';

	cell_name(out, named ? s->name : s->text);
	if (!named)
		return;
	evbuffer_add_printf(out, "<br><i>");
	page_text(out, s->text);
	evbuffer_add_printf(out, "</i>");
}

static void
server_cells(struct report *r, const struct status_row *row)
{
	const struct endpoint *e = row->endpoint;
	struct evbuffer *out = r->out;

	upstream_cell(r, row);
	server_name_cell(out, e->server);
	evbuffer_add_printf(out, e->backup ? " <i>backup</i>" : "");
	if (row->server != NULL)
		server_state_cell(out, row->server);
	else
		cell(out, "", "state");
	cell_number(out, "weight", e->weight);
	cell_number(out, "sessions", e->server->sessions);
	cell_number(out, "connects", e->server->connects);
	server_failures(out, e->server);
}

static bool
server_row(struct report *r)
{
	struct status_row row;

	if (!status_next(r->view, &r->i, &r->n, &row))
		return false;
	if (row.endpoint != NULL) {
		evbuffer_add_printf(r->out, "<tr>");
		server_cells(r, &row);
		evbuffer_add_printf(r->out, "</tr>\n");
	} else if (row.first) {
		server_none(r, &row);
	}
	if (row.last)
		server_names(r, &row);
	return true;
}

/* --- workers */

static void
workers_begin(struct report *r)
{
	evbuffer_add_printf(r->out, "<h2>Workers</h2><div class=box><table>"
	    "<tr><th>worker<th class=n>sessions<th class=n>begun"
	    "<th class=n>handed over<th class=n>to upstream"
	    "<th class=n>to client</tr>\n");
}

static bool
worker_row(struct report *r)
{
	struct crew *crew = r->view->crew;
	struct listener_stats sum;

	if (r->i == crew_size(crew))
		return false;
	crew_sum_worker(crew, r->i, &sum);
	evbuffer_add_printf(r->out, "<tr>");
	cell(r->out, "h", "worker");
	evbuffer_add_printf(r->out, "%zu", r->i);
	cell_number(r->out, "sessions",
	    worker_sessions(crew_worker(crew, r->i)));
	cell_number(r->out, "begun", counter_get(&sum.begun));
	cell_number(r->out, "handed over", counter_get(&sum.handed_over));
	cell_bytes(r->out, "to upstream",
	    counter_get(&sum.bytes_to_upstream), 0);
	cell_bytes(r->out, "to client", counter_get(&sum.bytes_to_client), 0);
	evbuffer_add_printf(r->out, "</tr>\n");
	r->i++;
	return true;
}

/* --- the end */

static void
page_foot(struct report *r)
{
	struct status status;

	status_sum(r->view, &status);
	evbuffer_add_printf(r->out, "<footer><p>");
	if (status.fds > 0) {
		page_number(r->out, status.fds);
		evbuffer_add_printf(r->out, " of ");
		page_number(r->out, status.max_fds);
		evbuffer_add_printf(r->out, " files open. ");
	}
	page_number(r->out, status.log_drops);
	evbuffer_add_printf(r->out, " log records dropped. Sluice %s (%s)."
	    "<p>", version_number(), version_build());
	for (size_t i = 0; i < ADMIN_ROUTE_COUNT; i++)
		if (ADMIN_ROUTES[i].method == ADMIN_GET)
			evbuffer_add_printf(r->out, "<a href=\"%s\">%s</a> ",
			    ADMIN_ROUTES[i].path, ADMIN_ROUTES[i].path);
	evbuffer_add_printf(r->out, "</footer></body></html>\n");
}

static const struct report_part PAGE[] = {
	{ page_head, NULL, NULL },
	{ listeners_begin, listener_row, table_end },
	{ servers_begin, server_row, table_end },
	{ workers_begin, worker_row, table_end },
	{ page_foot, NULL, NULL },
};

void
page_status(struct admin_request *req)
{
	report_send(req, ADMIN_HTML, PAGE, sizeof(PAGE) / sizeof(PAGE[0]));
}
