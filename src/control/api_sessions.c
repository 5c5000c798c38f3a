/* The sessions, listed and killed.  Nothing is collected: a piece goes out, and
 * then the workers are asked for the next. */
#include "admin-internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "generations.h"
#include "pauses.h"
#include "session_query.h"
#include "session_text.h"
#include "tour.h"

/* Every parameter of the request; false: the failure was replied. */
static bool
sessions_query(struct admin_request *req, struct session_query *query)
{
	const struct config **configs =
	    generations_configs(admin_view(req)->generations);
	const char *name, *value, *wrong = NULL;
	char why[SESSION_QUERY_WHY];

	session_query_init(query);
	if (configs == NULL)
		wrong = "out of memory";
	for (size_t i = 0; wrong == NULL &&
	     admin_query_at(req, i, &name, &value); i++)
		wrong = session_query_set(query, configs, name, value, why);
	free(configs);
	if (wrong != NULL)
		admin_fail(req, 400, "%s", wrong);
	return wrong == NULL;
}

/* --- listing */

struct listing {
	const struct admin_view *view;
	struct tour	    *tour;
	struct admin_stream *stream;
	bool		     text;
	bool		     begun;
	size_t		     left; /* until the limit */
	size_t		     count;
	uint64_t	     last; /* order of the last one listed */
	struct json	     json;
	struct session_table table;
};

static void
listing_back(void *arg)
{
	struct listing *l = arg;

	admin_stream_wake(l->stream);
}

static void
listing_done(void *arg)
{
	struct listing *l = arg;

	tour_end(l->tour);
	free(l);
}

static void
listing_begin(struct listing *l, struct evbuffer *out)
{
	l->begun = true;
	if (l->text) {
		session_table_head(&l->table, out);
		return;
	}
	json_begin(&l->json, NULL, '{');
	json_begin(&l->json, "sessions", '[');
}

static void
listing_row(struct listing *l, struct evbuffer *out,
    const struct session_info *info)
{
	l->last = info->order;
	if (l->text) {
		session_table_row(&l->table, out, info);
		return;
	}
	session_json(&l->json, info);
	evbuffer_add(out, "\n", 1);
}

/* 'next' is where to go on; NULL: that was all. */
static void
listing_end(struct listing *l, struct evbuffer *out, const char *next)
{
	if (!l->text) {
		json_end(&l->json, ']');
		json_number(&l->json, "count", l->count);
		json_text(&l->json, "next", next);
		json_end(&l->json, '}');
		evbuffer_add(out, "\n", 1);
		return;
	}
	if (next != NULL)
		evbuffer_add_printf(out, "more: after=%s\n", next);
	else
		pauses_text(l->view, out);
}

static void
listing_go(struct listing *l)
{
	tour_visit(l->tour)->most = l->left < VISIT_BUDGET ? l->left :
	    VISIT_BUDGET;
	tour_go(l->tour);
}

static enum admin_more
listing_fill(void *arg, struct evbuffer *out)
{
	struct listing *l = arg;
	const struct visit *v = tour_visit(l->tour);
	char next[SESSION_CURSOR];

	if (v == NULL)
		return ADMIN_WAIT;
	l->json.out = out;
	if (!l->begun)
		listing_begin(l, out);
	for (size_t i = 0; i < v->found; i++)
		listing_row(l, out, &v->infos[i]);
	l->count += v->found;
	l->left -= v->found;
	if (tour_is_over(l->tour)) {
		listing_end(l, out, NULL);
		return ADMIN_DONE;
	}
	if (l->left == 0) {
		listing_end(l, out, session_cursor(tour_worker(l->tour),
		    l->last, next));
		return ADMIN_DONE;
	}
	listing_go(l);
	return ADMIN_WAIT;
}

static const struct admin_source LISTING = { .fill = listing_fill,
	.done = listing_done };

static struct listing *
listing_new(const struct admin_view *view, const struct session_query *query)
{
	struct listing *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->view = view;
	l->tour = tour_new(view->tours, listing_back, l);
	if (l->tour == NULL) {
		free(l);
		return NULL;
	}
	tour_visit(l->tour)->filter = query->filter;
	tour_skip(l->tour, query->worker, query->below);
	session_table_init(&l->table, view->config);
	l->left = query->limit;
	return l;
}

void
api_sessions(struct admin_request *req)
{
	bool text = admin_wants_text(req);
	struct session_query query;
	struct admin_stream *stream;
	struct listing *l;

	if (!sessions_query(req, &query))
		return;
	l = listing_new(admin_view(req), &query);
	if (l == NULL) {
		admin_fail(req, 500, "out of memory");
		return;
	}
	l->text = text;
	listing_go(l);
	stream = admin_stream(req, text ? ADMIN_TEXT : ADMIN_JSON, &LISTING, l);
	if (stream != NULL)
		l->stream = stream;
}

/* --- killing */

struct killing {
	struct tour	    *tour;
	struct admin_stream *stream;
	bool		     text;
	size_t		     count;
};

static void
killing_back(void *arg)
{
	struct killing *k = arg;

	admin_stream_wake(k->stream);
}

static void
killing_done(void *arg)
{
	struct killing *k = arg;

	tour_end(k->tour);
	free(k);
}

static void
killing_end(const struct killing *k, struct evbuffer *out)
{
	struct json json = { .out = out };

	if (k->text) {
		evbuffer_add_printf(out, "killed %zu session%s\n", k->count,
		    k->count == 1 ? "" : "s");
		return;
	}
	json_begin(&json, NULL, '{');
	json_number(&json, "killed", k->count);
	json_end(&json, '}');
	evbuffer_add(out, "\n", 1);
}

static enum admin_more
killing_fill(void *arg, struct evbuffer *out)
{
	struct killing *k = arg;
	const struct visit *v = tour_visit(k->tour);

	if (v == NULL)
		return ADMIN_WAIT;
	k->count += v->found;
	if (!tour_is_over(k->tour)) {
		tour_go(k->tour);
		return ADMIN_WAIT;
	}
	killing_end(k, out);
	return ADMIN_DONE;
}

static const struct admin_source KILLING = { .fill = killing_fill,
	.done = killing_done };

static struct killing *
killing_new(struct admin_request *req, const struct session_query *query)
{
	struct killing *k = calloc(1, sizeof(*k));
	char who[ADMIN_WHO];
	struct visit *v;

	if (k == NULL)
		return NULL;
	k->tour = tour_new(admin_view(req)->tours, killing_back, k);
	if (k->tour == NULL) {
		free(k);
		return NULL;
	}
	v = tour_visit(k->tour);
	v->action = VISIT_KILL;
	v->filter = query->filter;
	snprintf(v->who, sizeof(v->who), "killed by %s", admin_who(req, who));
	return k;
}

void
api_kill(struct admin_request *req)
{
	bool text = admin_wants_text(req);
	struct session_query query;
	struct admin_stream *stream;
	struct killing *k;

	if (!sessions_query(req, &query))
		return;
	if (!query.filters) {
		admin_fail(req, 400, "say which sessions: id=, listener=, "
		    "upstream=, server=, client= or min_age=");
		return;
	}
	if (query.limit != SIZE_MAX || query.below != 0) {
		admin_fail(req, 400, "limit and after are for listing");
		return;
	}
	k = killing_new(req, &query);
	if (k == NULL) {
		admin_fail(req, 500, "out of memory");
		return;
	}
	k->text = text;
	tour_go(k->tour);
	stream = admin_stream(req, text ? ADMIN_TEXT : ADMIN_JSON, &KILLING, k);
	if (stream != NULL)
		k->stream = stream;
}
