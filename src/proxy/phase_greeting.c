/* GREETING: who is the client?  Where the listener takes PROXY headers, the one
 * at the other end of the connection may be a proxy that speaks for somebody;
 * then the session carries the address of that one from here on.  Nothing else
 * is done for the client before it is known who he is. */
#include <errno.h>
#include <stdio.h>

#include "early.h"
#include "proto/proxyproto.h"
#include "proto/sniff.h"
#include "session.h"
#include "worker-internal.h"

/* Who says nothing for so long sends no header: with 'optional' no reason to
 * let a server that speaks first wait any longer. */
#define GREETING_SILENCE_MS 200

/* Has room for a header with the usual values. */
#define GREETING_FIRST 2048

static size_t
greeting_len(const struct session *s)
{
	return s->early == NULL ? 0 : s->early->len;
}

static bool
greeting_is_optional(const struct session *s)
{
	return s->listener->accept_proxy == ACCEPT_PROXY_OPTIONAL;
}

static bool
greeting_is_believed(const struct session *s)
{
	const struct prefix_map *map = s->listener->proxy_map;

	return map == NULL ||
	    prefix_map_find(map, &s->peer) != PREFIX_MAP_NONE;
}

/* A session that fails here is no answer of a server's, and ends with a reset:
 * session_cuts() holds as long as the client has no FIN. */
static enum phase_answer
greeting_fail(struct session *s, const struct ending *e)
{
	if (e->by == BY_PROXY && e->error == 0)
		counter_add(&session_stats(s)->bad_greetings, 1);
	s->ending = *e;
	return PHASE_END;
}

static enum phase_answer
greeting_refuse_peer(struct session *s)
{
	char *words = (char *)s->worker->scratch, ip[ADDR_TEXT];

	snprintf(words, CLOSERECORD_DETAIL, "%s is in no accept_proxy_from; "
	    "add it there, or let the client connect through a proxy that is",
	    peer_ip_text(&s->peer, ip));
	return greeting_fail(s, &(struct ending){ .by = BY_PROXY,
		.how = HOW_LIMIT, .detail = words,
		.rule = "accept_proxy_from" });
}

static enum phase_answer
greeting_refuse(struct session *s, const struct proxyproto *p)
{
	char *words = (char *)s->worker->scratch, came[SNIFF_TEXT];

	if (p->foreign)
		s->early->protocol = sniff_bytes(s->early->data,
		    s->early->len)->protocol;
	if (p->foreign)
		snprintf(words, CLOSERECORD_DETAIL, "%s came, no PROXY header; "
		    "let the proxy in front send it (send-proxy), or set "
		    "accept_proxy = off",
		    sniff_text(s->early->data, s->early->len, came));
	else
		snprintf(words, CLOSERECORD_DETAIL, "the PROXY header %s",
		    p->why);
	return greeting_fail(s, &(struct ending){ .by = BY_PROXY,
		.how = HOW_ERROR, .cause = "bad greeting", .detail = words,
		.rule = "accept_proxy" });
}

static enum phase_answer
greeting_accept(struct session *s, const struct proxyproto *p)
{
	if (early_learn(s, p) < 0)
		return greeting_fail(s, &(struct ending){ .by = BY_PROXY,
			.how = HOW_ERROR, .error = -ENOMEM });
	early_drop(s, p->len);
	return PHASE_NEXT;
}

/* Reads on where more is announced than there was room for. */
static enum parse
greeting_read(struct session *s, struct proxyproto *p, int *error)
{
	size_t most = GREETING_FIRST;
	enum parse result = PARSE_MORE;
	bool again = true;

	p->at = s->early == NULL ? 0 : s->early->looked;
	while (again && result == PARSE_MORE) {
		*error = early_read(s, most);
		if (*error < 0 || greeting_len(s) == 0)
			return PARSE_MORE;
		result = proxyproto_read(p, s->early->data, s->early->len);
		again = p->len > most;
		most = p->len;
	}
	s->early->looked = (uint32_t)p->at;
	return result;
}

/* Whether what came is surely meant to be a header: the name of version 1, or
 * the signature of version 2. */
static bool
greeting_has_begun(const struct session *s)
{
	const struct early *e = s->early;

	return e != NULL && e->len > 0 &&
	    e->looked >= (e->data[0] == 'P' ? 6 : 12);
}

/* More is needed, and may not come. */
static enum phase_answer
greeting_await(struct session *s)
{
	bool some = greeting_len(s) > 0;

	if (s->client.error != 0)
		return greeting_fail(s, &(struct ending){ .by = BY_CLIENT,
			.how = HOW_RST, .error = s->client.error,
			.cause = some ? "within its PROXY header" :
			"without a PROXY header" });
	if (!s->client.eof)
		return PHASE_WAIT;
	if (greeting_is_optional(s) && !greeting_has_begun(s))
		return PHASE_NEXT;
	if (some)
		return greeting_fail(s, &(struct ending){ .by = BY_PROXY,
			.how = HOW_ERROR, .cause = "bad greeting", .detail =
			"the client's stream ended within its PROXY header",
			.rule = "accept_proxy" });
	conn_shutdown(&s->client); /* a check of the port, as a rule */
	return greeting_fail(s, &(struct ending){ .by = BY_CLIENT,
		.how = HOW_FIN, .cause = "without a PROXY header" });
}

static enum phase_answer
greeting_look(struct session *s)
{
	struct proxyproto p = { 0 };
	int error = 0;

	switch (greeting_read(s, &p, &error)) {
	case PARSE_OK:
		return greeting_accept(s, &p);
	case PARSE_BAD:
		return p.foreign && greeting_is_optional(s) ? PHASE_NEXT :
		    greeting_refuse(s, &p);
	case PARSE_MORE:
		break;
	}
	if (error < 0)
		return greeting_fail(s, &(struct ending){ .by = BY_PROXY,
			.how = HOW_ERROR, .error = error });
	return greeting_await(s);
}

enum phase_answer
phase_greeting(struct session *s)
{
	if (s->listener->accept_proxy == ACCEPT_PROXY_OFF)
		return PHASE_NEXT;
	if (greeting_is_believed(s))
		return greeting_look(s);
	return greeting_is_optional(s) ? PHASE_NEXT : greeting_refuse_peer(s);
}

uint64_t
phase_greeting_deadline(const struct session *s)
{
	uint64_t most = s->listener->greeting_timeout;

	if (greeting_is_optional(s) && greeting_len(s) == 0 &&
	    most > GREETING_SILENCE_MS)
		most = GREETING_SILENCE_MS;
	return s->started + most;
}

static enum phase_answer
greeting_time_out(struct session *s)
{
	return greeting_fail(s, &(struct ending){ .by = BY_PROXY,
		.how = HOW_TIMEOUT, .cause = greeting_len(s) == 0 ?
		"no PROXY header in" : "only part of a PROXY header in",
		.detail = "let the proxy in front send it (send-proxy), or set "
		"accept_proxy = off", .rule = "greeting_timeout",
		.limit_ms = s->listener->greeting_timeout });
}

/* After a stop of the process the time is up before we are told what came. */
enum phase_answer
phase_greeting_expire(struct session *s)
{
	enum phase_answer answer = PHASE_WAIT;

	if (conn_catch_up(&s->client))
		answer = phase_greeting(s);
	if (answer != PHASE_WAIT ||
	    phase_greeting_deadline(s) > worker_now(s->worker))
		return answer;
	return greeting_is_optional(s) && !greeting_has_begun(s) ?
	    PHASE_NEXT : greeting_time_out(s);
}
