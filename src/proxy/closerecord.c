#include "proxy/closerecord.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fields.h"
#include "base/units.h"

#define CAUSE_TEXT 416 /* the longest cause, rule, detail and names */

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

static const char *const event_text[] = {
	[RECORD_END] = "end",
	[RECORD_START] = "start",
	[RECORD_INTERVAL] = "interval",
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

/* 16 bits of the boot, 12 of the worker, 36 of its sequence. */
void
closerecord_id_raw(uint64_t id, struct rawtext *t)
{
	rawtext_number(t, id >> 48, 16, 4);
	rawtext_add(t, "-");
	rawtext_number(t, id >> 36 & 0xfff, 10, 1);
	rawtext_add(t, "-");
	rawtext_number(t, id & 0xfffffffffULL, 10, 1);
}

void
closerecord_id(uint64_t id, char *text)
{
	struct rawtext t = { .len = 0 };

	closerecord_id_raw(id, &t);
	memcpy(text, t.text, t.len);
	text[t.len] = '\0';
}

/* What is an id is written again as it was read. */
bool
closerecord_id_parse(const char *text, uint64_t *id)
{
	unsigned long long sequence;
	char again[CLOSERECORD_ID];
	unsigned boot, worker;

	if (sscanf(text, "%4x-%4u-%11llu", &boot, &worker, &sequence) != 3)
		return false;
	*id = (uint64_t)boot << 48 | (uint64_t)(worker & 0xfff) << 36 |
	    (sequence & 0xfffffffffULL);
	closerecord_id(*id, again);
	return strcasecmp(text, again) == 0;
}

/* "idle 24h (idle_timeout of listener pg)" */
static void
closerecord_add_cause(struct fields *f, const struct closerecord *r)
{
	const struct ending *e = &r->ending;
	char limit[UNITS_TEXT] = "", rule[96] = "", text[CAUSE_TEXT];
	const char *cause = e->cause != NULL ? e->cause : "";
	bool both = e->cause != NULL && r->detail[0] != '\0';

	if (e->cause == NULL && r->detail[0] == '\0')
		return;
	if (e->limit_ms > 0)
		duration_text(e->limit_ms, limit);
	if (e->rule != NULL && e->of_global)
		snprintf(rule, sizeof(rule), " (%s)", e->rule);
	else if (e->rule != NULL)
		snprintf(rule, sizeof(rule), " (%s of %s %s)", e->rule,
		    e->of_upstream ? "upstream" : "listener",
		    e->of_upstream ? r->upstream : r->listener);
	snprintf(text, sizeof(text), "%s%s%s%s%s%s", cause,
	    limit[0] != '\0' ? " " : "", limit, both ? ": " : "", r->detail,
	    rule);
	fields_text(f, "cause", text, strlen(text));
}

static void
closerecord_add_ending(struct fields *f, const struct closerecord *r)
{
	const char *error;

	if (r->event != RECORD_END)
		return;
	fields_word(f, "closed_by", by_text[r->ending.by]);
	fields_word(f, "how", how_text[r->ending.how]);
	closerecord_add_cause(f, r);
	if (r->ending.error >= 0)
		return;
	error = strerrordesc_np(-r->ending.error);
	if (error == NULL)
		error = "unknown";
	fields_text(f, "error", error, strlen(error));
}

static void
closerecord_add_peers(struct fields *f, const struct closerecord *r)
{
	char client[ADDR_TEXT], server[CLOSERECORD_NAME + ADDR_TEXT], *end;

	fields_word(f, "listener", r->listener);
	fields_word(f, "client", peer_text(&r->client, client));
	if (r->via.family != AF_UNSPEC)
		fields_word(f, "via", peer_text(&r->via, client));
	if (r->upstream[0] == '\0')
		return;
	end = stpcpy(server, r->upstream);
	if (r->server[0] != '\0')
		strcpy(stpcpy(end, "/"), r->server);
	fields_word(f, "upstream", server);
	if (r->server_name[0] != '\0')
		fields_word(f, "server", r->server_name);
}

/* What PEEK heard, and which rule it found. */
static void
closerecord_add_client(struct fields *f, const struct closerecord *r)
{
	if (r->protocol != NULL && r->protocol[0] != '\0')
		fields_word(f, "protocol", r->protocol);
	if (r->sni[0] != '\0')
		fields_word(f, "sni", r->sni);
	if (r->route[0] != '\0')
		fields_text(f, "route", r->route, strlen(r->route));
	if (r->note[0] != '\0')
		fields_text(f, "note", r->note, strlen(r->note));
}

static void
closerecord_add_numbers(struct fields *f, const struct closerecord *r)
{
	fields_number(f, "bytes_to_upstream", r->bytes_to_upstream);
	fields_number(f, "bytes_to_client", r->bytes_to_client);
	fields_number(f, "attempts", r->attempts);
	fields_number(f, "queue_ms", r->queue_ms);
	fields_number(f, "connect_ms", r->connect_ms);
	fields_number(f, "first_byte_ms", r->first_byte_ms);
	fields_number(f, "total_ms", r->total_ms);
	fields_number(f, "client_rtt_us", r->client_rtt_us);
	fields_number(f, "client_retransmits", r->client_retransmits);
	fields_number(f, "upstream_rtt_us", r->upstream_rtt_us);
	fields_number(f, "upstream_retransmits", r->upstream_retransmits);
}

size_t
closerecord_line(const struct closerecord *r, enum log_format format,
    char *line, size_t size)
{
	char time[CLOCK_TEXT], id[CLOSERECORD_ID];
	struct fields f;

	closerecord_id(r->id, id);
	fields_begin(&f, format == LOG_FORMAT_JSON, line, size);
	fields_word(&f, "time", clock_text(r->time, time));
	fields_word(&f, "id", id);
	fields_word(&f, "event", event_text[r->event]);
	closerecord_add_peers(&f, r);
	closerecord_add_client(&f, r);
	fields_word(&f, "phase", r->phase);
	closerecord_add_ending(&f, r);
	closerecord_add_numbers(&f, r);
	return fields_end(&f);
}

enum log_level
closerecord_level(const struct closerecord *r)
{
	const struct ending *e = &r->ending;

	if (r->event != RECORD_END)
		return LOG_LEVEL_INFO;
	return e->how == HOW_ERROR || e->how == HOW_LIMIT ||
	    (e->how == HOW_TIMEOUT && e->of_upstream) ? LOG_LEVEL_WARN :
	    LOG_LEVEL_INFO;
}
