#include "session_text.h"

#include <stdio.h>
#include <string.h>

#include "base/human.h"
#include "base/str.h"

#define CLIENT_WIDTH 21 /* 255.255.255.255:65535 */

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
	json_text(j, "protocol", text_or_null(info->protocol));
	json_text(j, "sni", text_or_null(info->sni));
	json_text(j, "route", text_or_null(info->route));
	json_text(j, "phase", info->phase);
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

void
session_table_init(struct session_table *table, const struct config *config)
{
	int upstream = 0, server = CLIENT_WIDTH;

	table->listener = (int)strlen("LISTENER");
	for (size_t i = 0; i < config->nlisteners; i++) {
		const struct listener_conf *l = &config->listeners[i];

		table->listener = table_wider(table->listener, l->name);
		table->sni |= l->routes.first_hello < l->routes.count;
	}
	for (size_t i = 0; i < config->nupstreams; i++)
		upstream = table_wider(upstream, config->upstreams[i].name);
	table->route = upstream + 1 + server;
}

static void
table_line(const struct session_table *table, struct evbuffer *out,
    const char *const *cells)
{
	evbuffer_add_printf(out, "%-18s %-*s %-*s %-*s %-7s %8s %8s %8s %8s "
	    "%-*s%s\n", cells[0], table->listener, cells[1], CLIENT_WIDTH,
	    cells[2], table->route, cells[3], cells[4], cells[5], cells[6],
	    cells[7], cells[8], table->sni ? 9 : 0, cells[9],
	    table->sni ? cells[10] : "");
}

void
session_table_head(const struct session_table *table, struct evbuffer *out)
{
	static const char *const names[] = { "ID", "LISTENER", "CLIENT",
		"UPSTREAM/SERVER", "PHASE", "AGE", "IDLE", "TO-UP", "TO-CLI",
		"CLOSED", "SNI" };

	table_line(table, out, names);
}

/* Which sides have said all they will. */
static const char *
session_closed(const struct session_info *info)
{
	if (info->client_fin)
		return info->upstream_fin ? "both" : "client";
	return info->upstream_fin ? "upstream" : "-";
}

void
session_table_row(const struct session_table *table, struct evbuffer *out,
    const struct session_info *info)
{
	char id[CLOSERECORD_ID], client[ADDR_TEXT], server[ADDR_TEXT * 4];
	char route[sizeof(server) + CLOSERECORD_NAME + 1];
	char times[2][HUMAN_TEXT], bytes[2][HUMAN_TEXT];
	const char *cells[] = { id, info->listener, client, route, info->phase,
		times[0], times[1], bytes[0], bytes[1], session_closed(info),
		info->sni[0] != '\0' ? info->sni : "-" };

	closerecord_id(info->id, id);
	peer_text(&info->client, client);
	str_escape(server, sizeof(server), info->server,
	    strlen(info->server));
	snprintf(route, sizeof(route), "%s%s%s", info->upstream,
	    server[0] != '\0' ? "/" : "", server);
	human_duration(info->age_ms, times[0]);
	human_duration(info->idle_ms, times[1]);
	human_bytes(info->bytes_to_upstream, bytes[0]);
	human_bytes(info->bytes_to_client, bytes[1]);
	table_line(table, out, cells);
}
