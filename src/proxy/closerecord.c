#include "proxy/closerecord.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "base/units.h"

static const char *const by_text[] = {
	[BY_CLIENT] = "client",
	[BY_UPSTREAM] = "upstream",
	[BY_PROXY] = "proxy",
};

static const char *const how_text[] = {
	[HOW_FIN] = "fin",
	[HOW_RST] = "rst",
	[HOW_TIMEOUT] = "timeout",
	[HOW_KILL] = "kill",
	[HOW_ERROR] = "error",
	[HOW_DRAIN] = "drain",
	[HOW_LIMIT] = "limit",
};

const char *
closed_by_text(enum closed_by by)
{
	return by_text[by];
}

const char *
close_how_text(enum close_how how)
{
	return how_text[how];
}

struct line {
	char  *text;
	size_t size;
	size_t len;
};

static void __attribute__((format(printf, 2, 3)))
line_add(struct line *l, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(l->text + l->len, l->size - l->len, format, args);
	va_end(args);
	if (n < 0)
		return;
	l->len += (size_t)n;
	if (l->len >= l->size)
		l->len = l->size - 1;
}

/* 16 bits of the boot, 12 of the worker, 36 of its sequence. */
void
closerecord_id(uint64_t id, char *text)
{
	snprintf(text, CLOSERECORD_ID, "%04x-%u-%llu", (unsigned)(id >> 48),
	    (unsigned)(id >> 36 & 0xfff),
	    (unsigned long long)(id & 0xfffffffffULL));
}

/* "idle 24h (idle_timeout of listener pg)" */
static void
line_add_cause(struct line *l, const struct closerecord *r)
{
	const struct ending *e = &r->ending;
	char limit[UNITS_TEXT];

	if (e->cause == NULL && r->detail[0] == '\0')
		return;
	line_add(l, " cause=\"%s", e->cause != NULL ? e->cause : "");
	if (e->limit_ms > 0)
		line_add(l, " %s", duration_text(e->limit_ms, limit));
	if (r->detail[0] != '\0')
		line_add(l, "%s%s", e->cause != NULL ? ": " : "", r->detail);
	if (e->rule != NULL && e->of_global)
		line_add(l, " (%s)", e->rule);
	else if (e->rule != NULL)
		line_add(l, " (%s of %s %s)", e->rule,
		    e->of_upstream ? "upstream" : "listener",
		    e->of_upstream ? r->upstream : r->listener);
	line_add(l, "\"");
}

static void
line_add_peers(struct line *l, const struct closerecord *r)
{
	char client[ADDR_TEXT], server[ADDR_TEXT * 4];

	line_add(l, " listener=%s client=%s", r->listener,
	    peer_text(&r->client, client));
	if (r->upstream[0] == '\0')
		return;
	line_add(l, " upstream=%s", r->upstream);
	if (r->server[0] != '\0')
		line_add(l, "/%s", str_escape(server, sizeof(server),
		    r->server, strlen(r->server)));
}

static void
line_add_times(struct line *l, const struct closerecord *r)
{
	line_add(l, " attempts=%u connect_ms=%llu first_byte_ms=%llu"
	    " total_ms=%llu", r->attempts, (unsigned long long)r->connect_ms,
	    (unsigned long long)r->first_byte_ms,
	    (unsigned long long)r->total_ms);
	line_add(l, " client_rtt_us=%u client_retransmits=%u"
	    " upstream_rtt_us=%u upstream_retransmits=%u", r->client_rtt_us,
	    r->client_retransmits, r->upstream_rtt_us, r->upstream_retransmits);
}

size_t
closerecord_text(const struct closerecord *r, char *text, size_t size)
{
	struct line l = { .text = text, .size = size };
	char id[CLOSERECORD_ID];

	closerecord_id(r->id, id);
	line_add(&l, "time=%s id=%s", r->time, id);
	line_add_peers(&l, r);
	line_add(&l, " phase=%s closed_by=%s how=%s", r->phase,
	    by_text[r->ending.by], how_text[r->ending.how]);
	line_add_cause(&l, r);
	if (r->ending.error < 0)
		line_add(&l, " error=\"%s\"",
		    strerrordesc_np(-r->ending.error));
	line_add(&l, " bytes_to_upstream=%llu bytes_to_client=%llu",
	    (unsigned long long)r->bytes_to_upstream,
	    (unsigned long long)r->bytes_to_client);
	line_add_times(&l, r);
	return l.len;
}
