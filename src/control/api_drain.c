/* POST /api/drain: a listener, an upstream, a server or all of the daemon takes
 * nobody new, and who is there leaves at a pace. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "admin-internal.h"
#include "base/str.h"
#include "base/units.h"
#include "drains.h"
#include "json.h"

#define SHOWN	 64
#define RATE_MAX 10000000

struct asked {
	struct drain_about about;
	bool		   all;	   /* of the daemon */
	bool		   cancel;
	char		  *server; /* owned: about.server */
	char		   who[ADMIN_WHO];
};

/* "did you mean" comes of those names. */
static bool
asked_listener(struct admin_request *req, struct asked *a, const char *name)
{
	const struct config *config = admin_view(req)->config;
	struct str_guess guess = { 0 };
	char shown[SHOWN];

	a->about.of = DRAIN_LISTENER;
	for (size_t i = 0; i < config->nlisteners; i++) {
		if (strcmp(config->listeners[i].name, name) == 0) {
			a->about.listener = &config->listeners[i];
			return true;
		}
		str_guess_offer(&guess, name, config->listeners[i].name);
	}
	str_escape(shown, sizeof(shown), name, strlen(name));
	if (guess.word != NULL)
		admin_fail(req, 404, "there is no listener '%s'; did you mean "
		    "%s?", shown, guess.word);
	else
		admin_fail(req, 404, "there is no listener '%s'; 'sluice ctl "
		    "status' lists them", shown);
	return false;
}

/* "UPSTREAM/SERVER", where the server may be a path. */
static bool
asked_server(struct admin_request *req, struct asked *a, const char *value)
{
	char *name = strdup(value), *slash;

	a->about.of = DRAIN_SERVER;
	slash = name == NULL ? NULL : strchr(name, '/');
	if (slash == NULL) {
		admin_fail(req, name == NULL ? 500 : 400, name == NULL ?
		    "out of memory" : "say UPSTREAM/SERVER, as in pg/db1");
		free(name);
		return false;
	}
	*slash = '\0';
	a->about.upstream = admin_upstream(req, name);
	if (a->about.upstream == NULL) {
		free(name);
		return false;
	}
	a->about.server = slash + 1;
	a->server = name;
	return true;
}

static bool
asked_who(struct admin_request *req, struct asked *a)
{
	const char *listener = admin_query(req, "listener");
	const char *upstream = admin_query(req, "upstream");
	const char *server = admin_query(req, "server");
	int count = (listener != NULL) + (upstream != NULL) + (server != NULL);

	a->all = count == 0;
	if (count > 1) {
		admin_fail(req, 400, "say one of listener=, upstream= and "
		    "server=");
		return false;
	}
	if (listener != NULL)
		return asked_listener(req, a, listener);
	if (server != NULL)
		return asked_server(req, a, server);
	if (upstream == NULL)
		return true;
	a->about.of = DRAIN_UPSTREAM;
	a->about.upstream = admin_upstream(req, upstream);
	return a->about.upstream != NULL;
}

static bool
asked_pace(struct admin_request *req, struct asked *a)
{
	const char *rate = admin_query(req, "rate"), *wrong = NULL;
	const char *deadline = admin_query(req, "deadline");
	struct drain_about *about = &a->about;
	char why[UNITS_WHY];

	about->deadline = PACE_NEVER;
	if (rate != NULL) {
		wrong = rate_parse(rate, &about->rate.count, &about->rate.per,
		    why);
		if (wrong == NULL && (about->rate.count == 0 ||
		    about->rate.count > RATE_MAX))
			wrong = "has to be from 1/h to 10000000/s";
		if (wrong != NULL)
			admin_fail(req, 400, "rate: %s", wrong);
	}
	if (wrong == NULL && deadline != NULL) {
		wrong = duration_parse(deadline, &about->deadline, why);
		if (wrong == NULL && about->deadline == 0)
			wrong = "has to be a time; 'sluice ctl kill' ends "
			    "sessions at once";
		if (wrong != NULL)
			admin_fail(req, 400, "deadline: %s", wrong);
	}
	return wrong == NULL;
}

static bool
asked_words(struct admin_request *req)
{
	static const char *const known[] = { "listener", "upstream", "server",
		"rate", "deadline", "cancel", "format" };
	const char *name, *value;
	char shown[SHOWN];

	for (size_t i = 0; admin_query_at(req, i, &name, &value); i++) {
		size_t n = 0;

		while (n < sizeof(known) / sizeof(known[0]) &&
		    strcmp(known[n], name) != 0)
			n++;
		if (n < sizeof(known) / sizeof(known[0]))
			continue;
		str_escape(shown, sizeof(shown), name, strlen(name));
		admin_fail(req, 400, "there is no parameter '%s'; there are "
		    "listener, upstream, server, rate, deadline and cancel",
		    shown);
		return false;
	}
	return true;
}

/* --- doing it */

static void
drain_reply(struct admin_request *req, const struct asked *a)
{
	struct json json = { .out = admin_body(req) };
	const struct admin_view *view = admin_view(req);
	uint64_t sessions = crew_sessions(view->crew);

	if (admin_wants_text(req) && a->all)
		evbuffer_add_printf(json.out, "the daemon drains and ends; %ju "
		    "session%s left\n", (uintmax_t)sessions, sessions == 1 ?
		    "" : "s");
	else if (admin_wants_text(req) && a->cancel)
		evbuffer_add_printf(json.out, "done\n");
	else if (admin_wants_text(req))
		draining_text(drains_last(view->drains), json.out);
	if (admin_wants_text(req)) {
		admin_reply(req, ADMIN_TEXT);
		return;
	}
	json_begin(&json, NULL, '{');
	json_number(&json, "sessions", sessions);
	drains_json(view->drains, &json);
	json_end(&json, '}');
	evbuffer_add(json.out, "\n", 1);
	admin_reply(req, ADMIN_JSON);
}

static void
drain_fail(struct admin_request *req, const struct asked *a, int error)
{
	char shown[SHOWN];

	if (error != -ENOENT) {
		admin_fail(req, 500, "out of memory");
	} else if (a->cancel) {
		admin_fail(req, 404, "that is not drained; 'sluice ctl status' "
		    "lists what is");
	} else {
		str_escape(shown, sizeof(shown), a->about.server,
		    strlen(a->about.server));
		admin_fail(req, 404, "upstream %s has no server '%s'; 'sluice "
		    "ctl servers' lists them", a->about.upstream->name, shown);
	}
}

/* As TERM does it, but for how long and how fast. */
static void
drain_all(struct admin_request *req, const struct asked *a)
{
	const struct admin_view *view = admin_view(req);
	struct stop_order order = { .rate = a->about.rate,
		.limit_ms = a->about.deadline, .who = a->who };

	if (a->cancel) {
		admin_fail(req, 400, "say what is no longer to be drained: "
		    "listener=, upstream= or server=");
		return;
	}
	if (order.limit_ms == PACE_NEVER) {
		order.limit_ms = view->config->global.drain_timeout;
		order.rule = "drain_timeout";
	}
	drain_reply(req, a);
	stop_gently(view->stop, &order);
}

static void
drain_do(struct admin_request *req, struct asked *a)
{
	struct drains *drains = admin_view(req)->drains;
	int error;

	a->about.who = admin_who(req, a->who);
	if (admin_view(req)->stop->stage != STOP_RUNNING) {
		admin_fail(req, 409, "the daemon is stopping");
		return;
	}
	if (a->all) {
		drain_all(req, a);
		return;
	}
	error = a->cancel ? drains_cancel(drains, &a->about) :
	    drains_begin(drains, &a->about);
	if (error < 0)
		drain_fail(req, a, error);
	else
		drain_reply(req, a);
}

void
api_drain(struct admin_request *req)
{
	struct asked a = { .cancel = admin_query(req, "cancel") != NULL };

	if (!asked_words(req))
		return;
	if (asked_who(req, &a) && asked_pace(req, &a))
		drain_do(req, &a);
	free(a.server);
}
