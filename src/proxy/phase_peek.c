/* PEEK: what does the client ask for?  Only where a rule has to hear it, or the
 * name in it chooses the server (hash_key = sni); and a client that says
 * nothing, no TLS or half a hello is as welcome as any other: it goes where
 * whoever matches no rule goes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "early.h"
#include "proto/client_hello.h"
#include "proto/sniff.h"
#include "session.h"
#include "worker-internal.h"

/* While the client is listened to. */
struct peek {
	struct client_hello hello;
	uint64_t	    until;
	size_t		    by_client; /* the rule for its address, or count */
};

/* What could be done about a protocol that has no hello at first. */
static const char *
peek_advice(const struct session *s, const struct sniff *sniff)
{
	static const char *const ROWS[][2] = {
		{ "postgres", "; sslnegotiation=direct begins with TLS" },
		{ "smtp", "; TLS comes only after STARTTLS" },
	};

	if (strcmp(sniff->protocol, "proxy") == 0)
		return s->listener->accept_proxy == ACCEPT_PROXY_OFF ?
		    "; accept_proxy = require reads it" :
		    "; accept_proxy_from has no such sender, or it is a second "
		    "one";
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
		if (strcmp(ROWS[i][0], sniff->protocol) == 0)
			return ROWS[i][1];
	return "";
}

static void
peek_note_silence(const struct session *s, char *note)
{
	const struct routes *r = &s->listener->routes;
	char time[UNITS_TEXT];

	snprintf(note, EARLY_NOTE, "the client said nothing for %s "
	    "(peek_timeout): a server that speaks first wants %s",
	    duration_text(s->listener->peek_timeout, time),
	    r->first_hello < r->count ?
	    "a listener without sni and alpn rules" :
	    "an upstream without hash_key = sni");
}

/* In words, why the hello matched no rule; false: there is nothing to tell. */
static bool
peek_note(const struct session *s, enum parse answer, char *note)
{
	const struct early *e = s->early;
	const struct client_hello *hello = &e->peek->hello;
	const struct sniff *sniff = sniff_bytes(e->data, e->len);
	char text[SNIFF_TEXT];

	if (answer == PARSE_OK || (e->len == 0 && s->client.eof))
		return false;
	sniff_text(e->data, e->len, text);
	if (e->len == 0)
		peek_note_silence(s, note);
	else if (answer == PARSE_MORE)
		snprintf(note, EARLY_NOTE, "%s, and not all of it%s", text,
		    s->client.eof ? "" : " in time (peek_timeout)");
	else if (!hello->foreign)
		snprintf(note, EARLY_NOTE, "%s that %s", text, hello->why);
	else
		snprintf(note, EARLY_NOTE, "%s, where a TLS hello was "
		    "expected%s", text, peek_advice(s, sniff));
	return true;
}

/* The protocol that will be spoken, if it has to be one: who offers several
 * leaves the choice to the server. */
static char *
peek_protocol(const struct client_hello *hello)
{
	size_t len = hello->alpn[0];

	if (hello->alpn_len == 0 || hello->alpn_len != 1 + len ||
	    memchr(hello->alpn + 1, '\0', len) != NULL)
		return NULL;
	return strndup((const char *)hello->alpn + 1, len);
}

/* Without memory the session goes on, and its record tells less. */
static void
peek_learn(struct session *s, enum parse answer)
{
	struct early *e = s->early;
	struct client_hello *hello = &e->peek->hello;
	char note[EARLY_NOTE];

	if (peek_note(s, answer, note))
		e->note = strdup(note);
	if (answer == PARSE_MORE)
		client_hello_guess(hello, e->data);
	if (hello->sni[0] != '\0')
		e->sni = strdup(hello->sni);
	e->named = hello->named && e->sni != NULL;
	e->alpn = peek_protocol(hello);
	e->protocol = sniff_bytes(e->data, e->len)->protocol;
}

/* Whether the hello says which of its servers it is. */
static bool
peek_is_key(const struct upstream_conf *upstream)
{
	return upstream->balance == BALANCE_HASH &&
	    upstream->hash_key == HASH_KEY_SNI;
}

static const struct upstream_conf *
peek_target(const struct session *s, size_t rule)
{
	const struct routes *r = &s->listener->routes;

	return rule < r->count ? r->rules[rule].upstream :
	    s->listener->upstream;
}

static enum phase_answer
peek_take(struct session *s, size_t rule)
{
	const struct routes *r = &s->listener->routes;

	if (r->count == 0)
		return PHASE_NEXT;
	if (rule < r->count) {
		s->route = &r->rules[rule];
		s->target = s->route->upstream;
	}
	counter_add(&session_stats(s)->routed[rule < r->count ?
	    r->rules[rule].kind : ROUTE_KINDS], 1);
	return PHASE_NEXT;
}

static enum phase_answer
peek_settle(struct session *s, enum parse answer)
{
	const struct routes *r = &s->listener->routes;
	struct peek *p = s->early->peek;
	size_t rule = p->by_client;

	if (answer == PARSE_OK && routes_by_hello(r, &p->hello) < rule)
		rule = routes_by_hello(r, &p->hello);
	peek_learn(s, answer);
	peek_free(s->early);
	return peek_take(s, rule);
}

static enum phase_answer
peek_fail(struct session *s, enum closed_by by, enum close_how how, int error)
{
	s->ending = (struct ending){ .by = by, .how = how, .error = error };
	return PHASE_END;
}

/* 'last': nothing more is waited for. */
static enum phase_answer
peek_look(struct session *s, bool last)
{
	struct early *e = s->early;
	int error = early_read(s, CLIENT_HELLO_MOST);
	enum parse answer = PARSE_MORE;

	if (error < 0)
		return peek_fail(s, BY_PROXY, HOW_ERROR, error);
	if (s->client.error != 0)
		return peek_fail(s, BY_CLIENT, HOW_RST, s->client.error);
	if (e->len > 0)
		answer = client_hello_parse(&e->peek->hello, e->data, e->len);
	if (answer == PARSE_MORE && !s->client.eof && !last)
		return PHASE_WAIT;
	return peek_settle(s, answer);
}

static enum phase_answer
peek_begin(struct session *s, size_t by_client)
{
	struct early *e = early_of(s);

	if (e != NULL)
		e->peek = calloc(1, sizeof(*e->peek));
	if (e == NULL || e->peek == NULL)
		return peek_fail(s, BY_PROXY, HOW_ERROR, -ENOMEM);
	e->peek->until = worker_now(s->worker) + s->listener->peek_timeout;
	e->peek->by_client = by_client;
	return peek_look(s, false);
}

enum phase_answer
phase_peek(struct session *s)
{
	const struct routes *r = &s->listener->routes;
	size_t by_client;

	if (r->count == 0 && !peek_is_key(s->target))
		return PHASE_NEXT;
	if (s->early != NULL && s->early->peek != NULL)
		return peek_look(s, false);
	by_client = routes_by_client(r, &s->peer);
	return by_client <= r->first_hello &&
	    !peek_is_key(peek_target(s, by_client)) ?
	    peek_take(s, by_client) : peek_begin(s, by_client);
}

uint64_t
phase_peek_deadline(const struct session *s)
{
	return s->early->peek->until;
}

enum phase_answer
phase_peek_expire(struct session *s)
{
	conn_catch_up(&s->client);
	return peek_look(s, true);
}

void
peek_free(struct early *e)
{
	free(e->peek);
	e->peek = NULL;
}
