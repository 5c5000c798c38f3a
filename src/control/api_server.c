/* What an operator says of a server: up, down, drain, another weight. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "admin-internal.h"
#include "base/str.h"
#include "base/units.h"
#include "json.h"

#define WEIGHT_MAX 1000

struct order {
	const struct upstream_conf *upstream;
	char		*name; /* owned */
	const char	*state; /* NULL: not asked for */
	unsigned	 out;
	bool		 weighs;
	unsigned	 weight;
};

/* "UPSTREAM/SERVER", where the server may be a path: false and the failure was
 * replied. */
static bool
order_target(struct admin_request *req, struct order *o)
{
	char *name = admin_decode(admin_tail(req)), *slash;

	slash = name == NULL ? NULL : strchr(name, '/');
	if (slash == NULL) {
		admin_fail(req, name == NULL ? 500 : 400, name == NULL ?
		    "out of memory" : "say UPSTREAM/SERVER, as in pg/db1, "
		    "not '%s'", name);
		free(name);
		return false;
	}
	*slash = '\0';
	o->upstream = admin_upstream(req, name);
	if (o->upstream != NULL)
		o->name = strdup(slash + 1);
	free(name);
	if (o->upstream != NULL && o->name == NULL)
		admin_fail(req, 500, "out of memory");
	return o->name != NULL;
}

static bool
order_state(struct admin_request *req, struct order *o)
{
	struct str_guess guess = { 0 };

	o->state = admin_query(req, "state");
	if (o->state == NULL || strcmp(o->state, "up") == 0)
		o->out = 0;
	else if (strcmp(o->state, "down") == 0)
		o->out = SERVER_DISABLED;
	else if (strcmp(o->state, "drain") == 0)
		o->out = SERVER_DRAINING;
	else {
		str_guess_offer(&guess, o->state, "up");
		str_guess_offer(&guess, o->state, "down");
		str_guess_offer(&guess, o->state, "drain");
		admin_fail(req, 400, "state must be up, down or drain, not "
		    "'%s'%s%s%s", o->state, guess.word != NULL ?
		    "; did you mean " : "", guess.word != NULL ? guess.word :
		    "", guess.word != NULL ? "?" : "");
		return false;
	}
	return true;
}

static bool
order_weight(struct admin_request *req, struct order *o)
{
	const char *text = admin_query(req, "weight");
	char why[UNITS_WHY];
	uint64_t weight = 0;

	if (text == NULL)
		return true;
	o->weighs = true;
	if (strcmp(text, "default") != 0 && (number_parse(text, &weight,
	    why) != NULL || weight == 0 || weight > WEIGHT_MAX)) {
		admin_fail(req, 400, "weight must be a number from 1 to %d or "
		    "default, not '%s'", WEIGHT_MAX, text);
		return false;
	}
	o->weight = (unsigned)weight;
	return true;
}

static int
order_do(struct admin_request *req, const struct order *o)
{
	const struct admin_view *view = admin_view(req);
	char who[ADMIN_WHO];
	int error = 0;

	admin_who(req, who);
	if (o->weighs)
		error = servers_set_weight(view->servers, o->upstream, o->name,
		    o->weight, who);
	if (error == 0 && o->state != NULL)
		error = servers_set_out(view->servers, o->upstream, o->name,
		    o->out, who);
	if (error == 0 && o->state != NULL)
		drains_look(view->drains);
	if (error == 0 && o->weighs)
		error = resolver_renew(view->resolver, o->upstream->index);
	return error;
}

/* One of that name which stays out all the same; NULL: none does. */
static const struct server *
order_denied(const struct admin_view *view, const struct order *o)
{
	const struct server *s = NULL;

	if (o->state == NULL || o->out != 0)
		return NULL;
	while ((s = servers_next(view->servers, o->upstream->index, s)) != NULL)
		if (!server_state_usable(s->state) &&
		    (strcmp(s->line->name, o->name) == 0 ||
		    strcmp(s->state->text, o->name) == 0))
			return s;
	return NULL;
}

/* "done", or "up by an operator, but failing: no route to host (check tcp)". */
static void
order_text(struct admin_request *req, const struct order *o)
{
	const struct server *s = order_denied(admin_view(req), o);
	char state[SERVERS_STATE], why[SERVERS_WHY];
	struct evbuffer *out = admin_body(req);

	if (s == NULL)
		evbuffer_add_printf(out, "done");
	else
		evbuffer_add_printf(out, "up by an operator, but %s: %s",
		    servers_state(s->state->out, state), servers_why(s, why));
}

static void
order_reply(struct admin_request *req, const struct order *o)
{
	struct json json = { .out = admin_body(req) };
	size_t all, up;

	up = servers_up(admin_view(req)->servers, o->upstream->index, &all);
	if (admin_wants_text(req)) {
		evbuffer_add_printf(json.out, "%s/%s: ", o->upstream->name,
		    o->name);
		order_text(req, o);
		evbuffer_add_printf(json.out, "; %zu of %zu are up\n", up,
		    all);
		admin_reply(req, ADMIN_TEXT);
		return;
	}
	json_begin(&json, NULL, '{');
	json_number(&json, "up", up);
	json_number(&json, "of", all);
	json_end(&json, '}');
	evbuffer_add(json.out, "\n", 1);
	admin_reply(req, ADMIN_JSON);
}

static void
order_fail(struct admin_request *req, const struct order *o, int error)
{
	struct str_guess guess = { 0 };

	if (error != -ENOENT) {
		admin_fail(req, 500, "out of memory");
		return;
	}
	for (size_t i = 0; i < o->upstream->nservers; i++)
		str_guess_offer(&guess, o->name, o->upstream->servers[i].name);
	if (guess.word != NULL)
		admin_fail(req, 404, "upstream %s has no server '%s'; did you "
		    "mean %s?", o->upstream->name, o->name, guess.word);
	else
		admin_fail(req, 404, "upstream %s has no server '%s'; 'sluice "
		    "ctl servers' lists them", o->upstream->name, o->name);
}

void
api_server(struct admin_request *req)
{
	struct order o = { 0 };
	int error;

	if (!order_target(req, &o))
		return;
	if (!order_state(req, &o) || !order_weight(req, &o)) {
		free(o.name);
		return;
	}
	error = o.state == NULL && !o.weighs ? -EINVAL : order_do(req, &o);
	if (error == -EINVAL)
		admin_fail(req, 400, "say state= or weight=");
	else if (error < 0)
		order_fail(req, &o, error);
	else
		order_reply(req, &o);
	free(o.name);
}
