/* The servers: whether each is up, why not, and what operators changed of it. */
#include <string.h>

#include "base/clock.h"
#include "base/human.h"
#include "health.h"
#include "name_text.h"
#include "pauses.h"
#include "report.h"
#include "status.h"

#define NAME_WIDTH 8 /* at least */

/* --- as JSON */

static void
servers_begin(struct report *r)
{
	json_begin(&r->json, NULL, '{');
	json_begin(&r->json, "servers", '[');
}

static void
health_object(struct json *j, const struct server *s)
{
	struct health health;

	if (!health_get(s, &health))
		return;
	json_begin(j, "check", '{');
	json_text(j, "kind", health.check);
	if (health.port != 0)
		json_number(j, "port", health.port);
	json_number(j, "checks", health.checks);
	json_number(j, "failures", health.failures);
	json_number(j, "took_us", health.took_us);
	json_text(j, "last_failure", health.why[0] != '\0' ? health.why :
	    NULL);
	json_end(j, '}');
}

static void
server_object(struct json *j, const struct server *s, const struct endpoint *e)
{
	char state[SERVERS_STATE], why[SERVERS_WHY];
	unsigned out = atomic_load(&s->state->out);

	json_begin(j, NULL, '{');
	json_text(j, "upstream", s->upstream->name);
	json_text(j, "name", s->line->name);
	json_text(j, "address", s->state->text);
	json_bool(j, "up", out == 0);
	json_text(j, "state", servers_state(out, state));
	json_number(j, "for_ms", clock_ms() - s->since);
	json_number(j, "changes", s->changes);
	json_text(j, "cause", servers_why(s, why)[0] != '\0' ? why : NULL);
	json_number(j, "weight", e->weight);
	json_bool(j, "backup", e->backup);
	json_number(j, "sessions", s->state->sessions);
	json_number(j, "connects", s->state->connects);
	json_number(j, "failures", s->state->failures);
	json_number(j, "ejections", s->eject.count);
	json_text(j, "not_ejected", eject_held(s));
	health_object(j, s);
	json_end(j, '}');
	evbuffer_add(j->out, "\n", 1);
}

static bool
server_row(struct report *r)
{
	struct status_row row;

	if (!status_next(r->view, &r->i, &r->n, &row))
		return false;
	if (row.server != NULL)
		server_object(&r->json, row.server, row.endpoint);
	return true;
}

static void
name_object(struct json *j, const struct upstream_conf *upstream,
    const struct name *name)
{
	uint64_t now = clock_ms();

	json_begin(j, NULL, '{');
	json_text(j, "upstream", upstream->name);
	json_text(j, "name", name->host);
	json_text(j, "state", name_state_text(name_state(name)));
	json_number(j, "for_ms", name_age(name, now));
	json_text(j, "error", name->why);
	json_number(j, "gave", name->naddrs + name->nservices);
	json_end(j, '}');
	evbuffer_add(j->out, "\n", 1);
}

static void
names_array(struct report *r)
{
	const struct config *config = r->view->config;
	const struct name *name;

	json_begin(&r->json, "names", '[');
	for (size_t i = 0; i < config->nupstreams; i++) {
		const struct names *names = resolver_names(r->view->resolver,
		    config->upstreams[i].index);

		for (size_t n = 0; (name = names_at(names, n)) != NULL; n++)
			name_object(&r->json, &config->upstreams[i], name);
	}
	json_end(&r->json, ']');
}

static void
change_object(struct json *j, const struct change *c)
{
	char at[CLOCK_TEXT], state[SERVERS_STATE];

	json_begin(j, NULL, '{');
	json_text(j, "upstream", c->upstream);
	json_text(j, "server", c->server[0] != '\0' ? c->server : NULL);
	switch (c->kind) {
	case CHANGE_STATE:
		json_text(j, "state", servers_state(c->value, state));
		break;
	case CHANGE_WEIGHT:
		json_number(j, "weight", c->value);
		break;
	case CHANGE_PAUSE:
		json_bool(j, "paused", true);
		break;
	}
	json_text(j, "by", c->who);
	json_text(j, "at", clock_text(c->at, at));
	json_end(j, '}');
}

static void
servers_end(struct report *r)
{
	const struct change *c;

	json_end(&r->json, ']');
	names_array(r);
	json_begin(&r->json, "changes", '[');
	TAILQ_FOREACH(c, servers_changes(r->view->servers), link)
		change_object(&r->json, c);
	json_end(&r->json, ']');
	drains_json(r->view->drains, &r->json);
	json_end(&r->json, '}');
	evbuffer_add(r->out, "\n", 1);
}

static const struct report_part JSON[] = {
	{ servers_begin, server_row, servers_end },
};

/* --- as text */

static void
text_begin(struct report *r)
{
	const struct config *config = r->view->config;

	r->width = NAME_WIDTH;
	for (size_t i = 0; i < config->nupstreams; i++)
		if ((int)strlen(config->upstreams[i].name) > r->width)
			r->width = (int)strlen(config->upstreams[i].name);
	evbuffer_add_printf(r->out, "%-*s %-10s %8s %7s %8s %8s %8s  %s\n",
	    r->width, "UPSTREAM", "STATE", "FOR", "CHANGES", "WEIGHT",
	    "SESSIONS", "FAILURES", "SERVER");
}

static void
text_server(struct report *r, const struct server *s, const struct endpoint *e)
{
	char state[SERVERS_STATE], age[HUMAN_TEXT], name[SERVERS_NAME];
	const char *held = eject_held(s);
	char why[SERVERS_WHY];

	servers_why(s, why);
	evbuffer_add_printf(r->out,
	    "%-*s %-10s %8s %7llu %8u %8llu %8llu  %s%s%s%s%s%s\n", r->width,
	    s->upstream->name, servers_state(s->state->out, state),
	    human_duration(clock_ms() - s->since, age),
	    (unsigned long long)s->changes, (unsigned)e->weight,
	    (unsigned long long)s->state->sessions,
	    (unsigned long long)s->state->failures, servers_name(s, name),
	    e->backup ? ", backup" : "", why[0] != '\0' ? ": " : "", why,
	    held != NULL ? "; refuses sessions, but is not ejected: " : "",
	    held != NULL ? held : "");
}

static void
text_line(struct report *r, const struct upstream_conf *upstream,
    const char *state, const char *age, const char *words)
{
	evbuffer_add_printf(r->out, "%-*s %-10s %8s %7s %8s %8s %8s  %s\n",
	    r->width, upstream->name, state, age, "-", "-", "-", "-", words);
}

/* What gives no address, or none that is new. */
static void
text_names(struct report *r, const struct status_row *row)
{
	const struct names *names = resolver_names(r->view->resolver,
	    row->upstream->index);
	char age[HUMAN_TEXT], why[NAME_WORDS], text[NAME_WORDS + 300];
	const struct name *name;
	uint64_t now = clock_ms();

	for (size_t i = 0; (name = names_at(names, i)) != NULL; i++) {
		if (name_state(name) == NAME_GOOD)
			continue;
		snprintf(text, sizeof(text), "%s: %s", name->host,
		    name_words(name, now, why));
		text_line(r, row->upstream, name_state_text(name_state(name)),
		    human_duration(name_age(name, now), age), text);
	}
	if (names_failing(names) == 0 && row->set != NULL &&
	    row->set->count == 0)
		text_line(r, row->upstream, "-", "-", "no address");
}

static bool
text_row(struct report *r)
{
	struct status_row row;

	if (!status_next(r->view, &r->i, &r->n, &row))
		return false;
	if (row.server != NULL)
		text_server(r, row.server, row.endpoint);
	if (row.last)
		text_names(r, &row);
	return true;
}

static void
change_words(const struct change *c, char *text)
{
	switch (c->kind) {
	case CHANGE_STATE:
		servers_state(c->value, text);
		break;
	case CHANGE_WEIGHT:
		snprintf(text, SERVERS_STATE, c->value == 0 ?
		    "weight default" : "weight %u", c->value);
		break;
	case CHANGE_PAUSE:
		strcpy(text, "paused");
		break;
	}
}

static void
text_end(struct report *r)
{
	const struct changes *changes = servers_changes(r->view->servers);
	char at[CLOCK_TEXT], what[SERVERS_STATE];
	const struct change *c;

	if (!TAILQ_EMPTY(changes))
		evbuffer_add_printf(r->out, "\nchanged by hand, until the "
		    "daemon ends:\n");
	TAILQ_FOREACH(c, changes, link) {
		change_words(c, what);
		evbuffer_add_printf(r->out, "%s%s%s %s, %.19sZ, by %s\n",
		    c->upstream, c->server[0] != '\0' ? "/" : "", c->server,
		    what, clock_text(c->at, at), c->who);
	}
	drains_text(r->view->drains, r->out);
	pauses_text(r->view, r->out);
}

static const struct report_part TEXT[] = {
	{ text_begin, text_row, text_end },
};

void
api_servers(struct admin_request *req)
{
	if (admin_wants_text(req))
		report_send(req, ADMIN_TEXT, TEXT, 1);
	else
		report_send(req, ADMIN_JSON, JSON, 1);
}
