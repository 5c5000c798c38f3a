#include "early.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	return 0;
}

void
early_free(struct session *s)
{
	if (s->early == NULL)
		return;
	early_forget(s->early);
	free(s->early);
	s->early = NULL;
}
