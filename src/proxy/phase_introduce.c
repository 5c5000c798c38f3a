/* INTRODUCE: the server is told who the client is, before anything else on the
 * connection, by a header of the PROXY protocol (its specification, section 2:
 * "prepended before any data"). */
#include <string.h>

#include "early.h"
#include "net/sock.h"
#include "proto/proxyproto.h"
#include "session.h"
#include "worker-internal.h"

/* To whom the client has connected: as the proxy in front has it, or here. */
static void
introduce_destination(const struct session *s, struct peer *destination)
{
	if (early_via(s) != NULL)
		*destination = s->early->destination;
	else
		sock_local(s->client.fd, destination);
}

static void
introduce_fill(const struct session *s, struct proxyproto *p)
{
	const struct early *e = s->early;

	*p = (struct proxyproto){ .source = s->peer };
	introduce_destination(s, &p->destination);
	if (e == NULL)
		return;
	p->local = e->local;
	p->paths = e->paths;
	p->tlvs = e->tlvs;
	p->tlvs_len = e->tlvs_len;
}

/* What a proxy in front has said of it goes first: it may know better, and the
 * id that it has given is the one that is known everywhere. */
static void
introduce_add(struct proxyproto_writer *w, const struct proxyproto *p,
    enum proxyproto_type type, const char *text)
{
	const uint8_t *value;
	size_t len;

	if (!proxyproto_find(p, type, &value, &len))
		proxyproto_add(w, type, text, strlen(text));
}

/* What is known of the session; of its TLS, if the hello was heard. */
static void
introduce_add_values(const struct session *s, struct proxyproto_writer *w,
    const struct proxyproto *p)
{
	const struct early *e = s->early;
	char id[CLOSERECORD_ID];

	if (e != NULL && e->named)
		introduce_add(w, p, PROXYPROTO_AUTHORITY, e->sni);
	if (e != NULL && e->alpn != NULL)
		introduce_add(w, p, PROXYPROTO_ALPN, e->alpn);
	closerecord_id(session_id(s), id);
	introduce_add(w, p, PROXYPROTO_UNIQUE_ID, id);
}

/* The header, the same each time that it is asked for: so a send that took only
 * part of it leaves nothing to keep but how much that was. */
static size_t
introduce_write(const struct session *s, uint8_t *data)
{
	struct proxyproto_writer w;
	struct proxyproto p;

	introduce_fill(s, &p);
	if (s->target->send_proxy == SEND_PROXY_V1)
		return proxyproto_line(&p, (char *)data);
	proxyproto_begin(&w, data, WORKER_SCRATCH, &p);
	introduce_add_values(s, &w, &p);
	return proxyproto_end(&w);
}

/* A server that has left is RELAY's to tell. */
enum phase_answer
phase_introduce(struct session *s)
{
	uint8_t *data = s->worker->scratch;
	size_t len;

	if (s->target->send_proxy == SEND_PROXY_OFF ||
	    s->upstream.error != 0 || s->upstream.write_error != 0)
		return PHASE_NEXT;
	if (conn_check(&s->client)) {
		s->ending = (struct ending){ .by = BY_CLIENT, .how = HOW_RST,
			.error = s->client.error };
		return PHASE_END;
	}
	len = introduce_write(s, data);
	if (s->upstream.writable)
		s->introduced += (uint32_t)conn_send(&s->upstream,
		    data + s->introduced, len - s->introduced);
	return s->introduced < len && s->upstream.error == 0 &&
	    s->upstream.write_error == 0 ? PHASE_WAIT : PHASE_NEXT;
}

uint64_t
phase_introduce_deadline(const struct session *s)
{
	uint64_t since = s->started + s->connected_ms;

	if (since < s->active)
		since = s->active;
	return since + s->target->connect_timeout;
}

/* After a stop of the process the time is up before we are told that the server
 * takes more: then it has that time again. */
enum phase_answer
phase_introduce_expire(struct session *s)
{
	if (conn_catch_up(&s->upstream)) {
		s->active = worker_now(s->worker);
		return phase_introduce(s);
	}
	s->ending = (struct ending){ .by = BY_PROXY, .how = HOW_TIMEOUT,
		.cause = "the server takes no PROXY header in",
		.rule = "connect_timeout", .of_upstream = true,
		.limit_ms = s->target->connect_timeout };
	return PHASE_END;
}
