#include "report.h"

#include <stdlib.h>

#define ROWS_A_TURN 64

struct sending {
	struct report		  report;
	const struct report_part *parts;
	size_t			  count;
	size_t			  part; /* the one at hand */
	bool			  begun;
	struct evbuffer		 *first; /* what was made before the stream */
};

static void
sending_next_part(struct sending *s)
{
	const struct report_part *part = &s->parts[s->part++];

	if (part->end != NULL)
		part->end(&s->report);
	s->begun = false;
}

static void
sending_begin_part(struct sending *s)
{
	const struct report_part *part = &s->parts[s->part];

	s->report.i = s->report.n = 0;
	s->begun = true;
	if (part->begin != NULL)
		part->begin(&s->report);
}

/* Whether there is more to come. */
static bool
sending_turn(struct sending *s, struct evbuffer *out)
{
	size_t rows = 0;

	s->report.out = s->report.json.out = out;
	while (s->part < s->count && rows++ < ROWS_A_TURN) {
		const struct report_part *part = &s->parts[s->part];

		if (!s->begun)
			sending_begin_part(s);
		if (part->row == NULL || !part->row(&s->report))
			sending_next_part(s);
	}
	return s->part < s->count;
}

static enum admin_more
sending_fill(void *arg, struct evbuffer *out)
{
	struct sending *s = arg;

	if (s->first != NULL) {
		evbuffer_add_buffer(out, s->first);
		evbuffer_free(s->first);
		s->first = NULL;
		return ADMIN_MORE;
	}
	return sending_turn(s, out) ? ADMIN_MORE : ADMIN_DONE;
}

static void
sending_done(void *arg)
{
	struct sending *s = arg;

	if (s->first != NULL)
		evbuffer_free(s->first);
	free(s);
}

static const struct admin_source SENDING = { .fill = sending_fill,
	.done = sending_done };

static void
sending_stream(struct sending *s, struct admin_request *req, const char *type)
{
	s->first = evbuffer_new();
	if (s->first == NULL) {
		sending_done(s);
		admin_fail(req, 500, "out of memory");
		return;
	}
	evbuffer_add_buffer(s->first, admin_body(req));
	admin_stream(req, type, &SENDING, s);
}

/* Nearly always it is all said in the first turn. */
void
report_send(struct admin_request *req, const char *type,
    const struct report_part *parts, size_t count)
{
	struct sending *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		admin_fail(req, 500, "out of memory");
		return;
	}
	s->report.view = admin_view(req);
	s->parts = parts;
	s->count = count;
	if (sending_turn(s, admin_body(req))) {
		sending_stream(s, req, type);
		return;
	}
	sending_done(s);
	admin_reply(req, type);
}
