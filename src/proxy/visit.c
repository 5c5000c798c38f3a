#include "visit-internal.h"

#include <stdio.h>
#include <string.h>

#include "early.h"
#include "record.h"
#include "worker-internal.h"

/* Two connections are closed and a record is made: as much work as looking at
 * so many more. */
#define VISIT_KILL_COST 8

void
visit_init(struct visit *v, struct box *home)
{
	memset(v, 0, offsetof(struct visit, infos));
	memset(&v->place, 0, sizeof(v->place));
	v->mail.kind = MAIL_VISIT;
	v->home = home;
	v->most = VISIT_BUDGET;
	v->ending = (struct ending){ .by = BY_PROXY, .how = HOW_KILL };
}

struct visit *
visit_next(struct box_list *list)
{
	struct box_item *item = box_next(list);

	return item == NULL ? NULL : BOX_OWNER(item, struct visit, mail.item);
}

static bool
visit_matches_text(const char *wanted, const char *text)
{
	return wanted[0] == '\0' || strcmp(wanted, text) == 0;
}

/* By its address or its name. */
static bool
visit_matches_server(const char *wanted, const struct server_state *server)
{
	return visit_matches_text(wanted, server == NULL ? "" : server->text) ||
	    (server != NULL && strcmp(wanted, server->name) == 0);
}

static bool
visit_is_draining(const struct server_state *server)
{
	return server != NULL && (atomic_load_explicit(&server->out,
	    memory_order_relaxed) & SERVER_DRAINING) != 0;
}

static bool
visit_matches(const struct visit *v, const struct session *s)
{
	const struct visit_filter *f = &v->filter;

	if (v->below != 0 && s->order >= v->below)
		return false;
	if (f->id != 0 && session_id(s) != f->id)
		return false;
	if (f->connected && !s->connected)
		return false;
	if (f->draining && !visit_is_draining(s->server))
		return false;
	return worker_now(s->worker) - s->started >= f->min_age_ms &&
	    prefix_has(&f->client, &s->peer) &&
	    visit_matches_text(f->listener, s->listener->name) &&
	    visit_matches_text(f->upstream, s->target->name) &&
	    visit_matches_server(f->server, s->server);
}

static void
visit_copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

static void
visit_heard(struct session_info *info, const struct early *e)
{
	bool peeked = e != NULL && e->protocol != NULL;

	info->protocol = peeked ? e->protocol : "";
	visit_copy(info->sni, sizeof(info->sni), peeked && e->sni != NULL ?
	    e->sni : "");
}

static void
visit_list(struct visit *v, const struct session *s)
{
	struct session_info *info = &v->infos[v->found];
	uint64_t now = worker_now(s->worker);

	info->id = session_id(s);
	info->order = s->order;
	visit_copy(info->listener, sizeof(info->listener), s->listener->name);
	visit_copy(info->upstream, sizeof(info->upstream),
	    s->target->name);
	visit_copy(info->server, sizeof(info->server),
	    s->server != NULL ? s->server->text : "");
	visit_copy(info->server_name, sizeof(info->server_name),
	    s->server != NULL ? s->server->name : "");
	info->client = s->peer;
	info->via = early_via(s) == NULL ? (struct peer){ 0 } : *early_via(s);
	record_route(s->route, info->route);
	visit_heard(info, s->early);
	info->waits_for = session_waits_for(s);
	info->phase = info->waits_for != NULL ? "wait" : session_phase(s);
	info->age_ms = now - s->started;
	info->idle_ms = now - s->active;
	info->bytes_to_upstream = relay_delivered(&s->to_upstream);
	info->bytes_to_client = relay_delivered(&s->to_client);
	info->attempts = s->attempts;
	info->client_fin = s->client.eof;
	info->upstream_fin = s->upstream.eof;
}

/* What it costs beyond the look. */
static size_t
visit_found(struct visit *v, struct session *s)
{
	struct ending killed = v->ending;
	size_t cost = 0;

	killed.detail = v->who;
	switch (v->action) {
	case VISIT_LIST:
		visit_list(v, s);
		break;
	case VISIT_KILL:
		session_end(s, &killed);
		cost = VISIT_KILL_COST;
		break;
	case VISIT_CANCEL:
		break;
	}
	v->found++;
	return cost;
}

static void
visit_begin(struct visit *v, struct worker *w)
{
	v->place.begun = true;
	v->place.next = LIST_FIRST(&w->sessions);
	LIST_INSERT_HEAD(&w->visits, &v->place, link);
}

static void
visit_look(struct visit *v)
{
	size_t spent = 0;
	struct session *s;

	while (spent < VISIT_BUDGET && v->found < v->most &&
	    (s = v->place.next) != NULL) {
		v->place.next = LIST_NEXT(s, link);
		spent++;
		if (visit_matches(v, s))
			spent += visit_found(v, s);
	}
}

/* Nothing is left, or there was only one to be found. */
static bool
visit_is_done(const struct visit *v)
{
	return v->place.next == NULL || v->action == VISIT_CANCEL ||
	    (v->filter.id != 0 && v->found > 0);
}

void
visit_run(struct worker *w, struct mail *mail)
{
	struct visit *v = BOX_OWNER(mail, struct visit, mail);

	v->found = 0;
	if (!v->place.begun)
		visit_begin(v, w);
	if (v->action != VISIT_CANCEL)
		visit_look(v);
	v->done = visit_is_done(v);
	if (v->done) {
		LIST_REMOVE(&v->place, link);
		v->place.begun = false;
	}
	box_put(v->home, &v->mail.item);
}

void
visit_pass(struct worker *w, const struct session *s)
{
	struct visit_place *place;

	LIST_FOREACH(place, &w->visits, link)
		if (place->next == s)
			place->next = LIST_NEXT(s, link);
}
