#include "early.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/proxyproto.h"
#include "session.h"
#include "worker-internal.h"

#define EARLY_SIZE 2048 /* at first: a greeting, or most hellos */

struct early *
early_of(struct session *s)
{
	if (s->early == NULL)
		s->early = calloc(1, sizeof(*s->early));
	return s->early;
}

static int
early_grow(struct early *e)
{
	uint32_t size = e->size == 0 ? EARLY_SIZE : e->size * 2;
	uint8_t *data = realloc(e->data, size);

	if (data == NULL)
		return -ENOMEM;
	e->data = data;
	e->size = size;
	return 0;
}

int
early_read(struct session *s, size_t most)
{
	struct early *e;
	size_t end;

	if (!s->client.readable)
		return 0;
	e = early_of(s);
	if (e == NULL)
		return -ENOMEM;
	while (s->client.readable && e->len < most) {
		if (e->len == e->size && early_grow(e) < 0)
			return -ENOMEM;
		end = e->size < most ? e->size : most;
		e->len += (uint32_t)conn_recv(&s->client, e->data + e->len,
		    end - e->len);
	}
	return 0;
}

static void
early_forget(struct early *e)
{
	free(e->data);
	e->data = NULL;
	e->len = e->size = 0;
}

void
early_drop(struct session *s, size_t len)
{
	struct early *e = s->early;

	assert(e != NULL && len <= e->len);
	e->len -= (uint32_t)len;
	if (e->len == 0)
		early_forget(e);
	else
		memmove(e->data, e->data + len, e->len);
}

static uint8_t *
early_copy(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len);

	if (copy != NULL)
		memcpy(copy, data, len);
	return copy;
}

/* The values are kept until the server is told, and no longer than that. */
static int
early_keep(struct early *e, const struct proxyproto *p)
{
	if (p->paths != NULL) {
		e->paths = early_copy(p->paths, 2 * PROXYPROTO_PATH);
		if (e->paths == NULL)
			return -ENOMEM;
	}
	if (p->tlvs_len > 0) {
		e->tlvs = early_copy(p->tlvs, p->tlvs_len);
		if (e->tlvs == NULL)
			return -ENOMEM;
		e->tlvs_len = (uint16_t)p->tlvs_len;
	}
	return 0;
}

static void
early_forget_values(struct early *e)
{
	free(e->paths);
	free(e->tlvs);
	e->paths = e->tlvs = NULL;
	e->tlvs_len = 0;
}

int
early_learn(struct session *s, const struct proxyproto *p)
{
	struct early *e = early_of(s);

	if (e == NULL)
		return -ENOMEM;
	if (early_keep(e, p) < 0) {
		early_forget_values(e);
		return -ENOMEM;
	}
	e->local = p->local;
	if (p->source.family == AF_UNSPEC)
		return 0;
	e->via = s->peer;
	e->destination = p->destination;
	s->peer = p->source;
	return 0;
}

const struct peer *
early_via(const struct session *s)
{
	return s->early != NULL && s->early->via.family != AF_UNSPEC ?
	    &s->early->via : NULL;
}

const struct peer *
early_socket(const struct session *s)
{
	const struct peer *via = early_via(s);

	return via != NULL ? via : &s->peer;
}

int
early_pass(struct session *s)
{
	struct relay *r = &s->to_upstream;
	struct early *e = s->early;

	if (e == NULL)
		return 0;
	assert(r->pending == 0);
	if (e->len > 0) {
		r->spill = spill_new(&s->worker->spills, e->data, e->len);
		if (r->spill == NULL)
			return -ENOMEM;
		r->bytes += e->len;
		r->pending = e->len;
	}
	early_forget(e);
	early_forget_values(e);
	return 0;
}

void
early_free(struct session *s)
{
	if (s->early == NULL)
		return;
	early_forget(s->early);
	early_forget_values(s->early);
	peek_free(s->early);
	free(s->early->sni);
	free(s->early->alpn);
	free(s->early->note);
	free(s->early);
	s->early = NULL;
}
