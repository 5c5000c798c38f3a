#include "session_text.h"

#include <stdio.h>
#include <string.h>

#include "base/human.h"
#include "base/str.h"

#define CLIENT_WIDTH 21 /* 255.255.255.255:65535 */
#define RULE_WIDTH   20 /* "sni db1.example.org" */

static const char *
text_or_null(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

void
session_json(struct json *j, const struct session_info *info)
{
	char id[CLOSERECORD_ID], client[ADDR_TEXT], via[ADDR_TEXT];

	closerecord_id(info->id, id);
	json_begin(j, NULL, '{');
	json_text(j, "id", id);
	json_text(j, "listener", info->listener);
	json_text(j, "client", peer_text(&info->client, client));
	json_text(j, "via", info->via.family == AF_UNSPEC ? NULL :
	    peer_text(&info->via, via));
	json_text(j, "upstream", info->upstream);
	json_text(j, "server", text_or_null(info->server));
	json_text(j, "server_name", text_or_null(info->server_name));
	json_text(j, "protocol", text_or_null(info->protocol));
	json_text(j, "sni", text_or_null(info->sni));
	json_text(j, "route", text_or_null(info->route));
	json_text(j, "phase", info->phase);
	json_text(j, "waits_for", info->waits_for);
	json_number(j, "age_ms", info->age_ms);
	json_number(j, "idle_ms", info->idle_ms);
	json_number(j, "bytes_to_upstream", info->bytes_to_upstream);
	json_number(j, "bytes_to_client", info->bytes_to_client);
	json_bool(j, "client_fin", info->client_fin);
	json_bool(j, "upstream_fin", info->upstream_fin);
	json_number(j, "attempts", info->attempts);
	json_end(j, '}');
}

static int
table_wider(int width, const char *text)
{
	int len = (int)strlen(text);

	return len > width ? len : width;
}

/* What is said only where the configuration has what it is about. */
static void
table_init_listener(struct session_table *table, const struct listener_conf *l)
{
	table->listener = table_wider(table->listener, l->name);
	table->sni |= l->routes.first_hello < l->routes.count;
	table->rule |= l->routes.count > 0;
	table->via |= l->accept_proxy != ACCEPT_PROXY_OFF;
}

static int
table_server(const struct config *config)
{
	int upstream = 0, name = 0;

	for (size_t i = 0; i < config->nupstreams; i++) {
		const struct upstream_conf *u = &config->upstreams[i];

		upstream = table_wider(upstream, u->name);
		for (size_t n = 0; n < u->nservers; n++)
			if (server_conf_is_named(&u->servers[n]))
				name = table_wider(name, u->servers[n].name);
	}
	return upstream + 1 + (name > 0 ? name + 3 : 0) + CLIENT_WIDTH;
}

void
session_table_init(struct session_table *table, const struct config *config)
{
	table->listener = (int)strlen("LISTENER");
	for (size_t i = 0; i < config->nlisteners; i++)
		table_init_listener(table, &config->listeners[i]);
	table->server = table_server(config);
}

/* One row; what is long and of any length stands last. */
struct cells {
	const char *id, *listener, *client, *server, *phase, *age, *idle;
	const char *to_upstream, *to_client, *closed, *via, *rule, *sni;
};

static void
table_line(const struct session_table *table, struct evbuffer *out,
    const struct cells *c)
{
	bool sni = table->sni, rule = table->rule, via = table->via;

	evbuffer_add_printf(out, "%-18s %-*s %-*s %-*s %-11s %8s %8s %8s %8s "
	    "%-*s", c->id, table->listener, c->listener, CLIENT_WIDTH,
	    c->client, table->server, c->server, c->phase, c->age, c->idle,
	    c->to_upstream, c->to_client, via || rule || sni ? 8 : 0,
	    c->closed);
	if (via)
		evbuffer_add_printf(out, " %-*s", rule || sni ? CLIENT_WIDTH :
		    0, c->via);
	if (rule)
		evbuffer_add_printf(out, " %-*s", sni ? RULE_WIDTH : 0,
		    c->rule);
	if (sni)
		evbuffer_add_printf(out, " %s", c->sni);
	evbuffer_add(out, "\n", 1);
}

void
session_table_head(const struct session_table *table, struct evbuffer *out)
{
	static const struct cells NAMES = { "ID", "LISTENER", "CLIENT",
		"UPSTREAM/SERVER", "PHASE", "AGE", "IDLE", "TO-UP", "TO-CLI",
		"CLOSED", "VIA", "ROUTE", "SNI" };

	table_line(table, out, &NAMES);
}

/* Which sides have said all they will. */
static const char *
session_closed(const struct session_info *info)
{
	if (info->client_fin)
		return info->upstream_fin ? "both" : "client";
	return info->upstream_fin ? "upstream" : "-";
}

/* "pg/10.0.0.7:5432", "pg/db1 (10.0.0.7:5432)". */
#define SERVER_TEXT (ADDR_TEXT * 4 + 2 * CLOSERECORD_NAME + 4)
static void
session_server(const struct session_info *info, char *text)
{
	bool named = info->server_name[0] != '\0';
	char server[ADDR_TEXT * 4];

	str_escape(server, sizeof(server), info->server,
	    strlen(info->server));
	snprintf(text, SERVER_TEXT, "%s%s%s%s%s%s", info->upstream,
	    server[0] != '\0' ? "/" : "", info->server_name,
	    named ? " (" : "", server, named ? ")" : "");
}

/* "relay", "wait:room". */
static void
session_phase_text(const struct session_info *info, char *text, size_t size)
{
	snprintf(text, size, "%s%s%s", info->phase,
	    info->waits_for != NULL ? ":" : "",
	    info->waits_for != NULL ? info->waits_for : "");
}

static const char *
text_or_dash(const char *text)
{
	return text[0] != '\0' ? text : "-";
}

void
session_table_row(const struct session_table *table, struct evbuffer *out,
    const struct session_info *info)
{
	char id[CLOSERECORD_ID], client[ADDR_TEXT], via[ADDR_TEXT] = "-";
	char times[2][HUMAN_TEXT], bytes[2][HUMAN_TEXT];
	char server[SERVER_TEXT], phase[32];
	const struct cells cells = { .id = id, .listener = info->listener,
		.client = client, .server = server, .phase = phase,
		.age = times[0], .idle = times[1], .to_upstream = bytes[0],
		.to_client = bytes[1], .closed = session_closed(info),
		.via = via, .rule = text_or_dash(info->route),
		.sni = text_or_dash(info->sni) };

	closerecord_id(info->id, id);
	peer_text(&info->client, client);
	if (info->via.family != AF_UNSPEC)
		peer_text(&info->via, via);
	session_server(info, server);
	session_phase_text(info, phase, sizeof(phase));
	human_duration(info->age_ms, times[0]);
	human_duration(info->idle_ms, times[1]);
	human_bytes(info->bytes_to_upstream, bytes[0]);
	human_bytes(info->bytes_to_client, bytes[1]);
	table_line(table, out, &cells);
}
