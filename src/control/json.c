#include "json.h"

#include <string.h>

#include "base/str.h"

#define ESCAPE_MAX 6 /* \u0001 */

static void
json_key(struct json *j, const char *key)
{
	if (j->comma)
		evbuffer_add(j->out, ",", 1);
	j->comma = true;
	if (key != NULL)
		evbuffer_add_printf(j->out, "\"%s\":", key);
}

void
json_begin(struct json *j, const char *key, char bracket)
{
	json_key(j, key);
	evbuffer_add(j->out, &bracket, 1);
	j->comma = false;
}

void
json_end(struct json *j, char bracket)
{
	evbuffer_add(j->out, &bracket, 1);
	j->comma = true;
}

void
json_bytes(struct json *j, const char *key, const char *text, size_t len)
{
	struct evbuffer_iovec room;

	json_key(j, key);
	evbuffer_add(j->out, "\"", 1);
	if (evbuffer_reserve_space(j->out, (ev_ssize_t)(len * ESCAPE_MAX + 8),
	    &room, 1) == 1) {
		str_json(room.iov_base, room.iov_len, text, len);
		room.iov_len = strlen(room.iov_base);
		evbuffer_commit_space(j->out, &room, 1);
	}
	evbuffer_add(j->out, "\"", 1);
}

void
json_text(struct json *j, const char *key, const char *text)
{
	if (text != NULL) {
		json_bytes(j, key, text, strlen(text));
		return;
	}
	json_key(j, key);
	evbuffer_add(j->out, "null", 4);
}

void
json_number(struct json *j, const char *key, uint64_t value)
{
	json_key(j, key);
	evbuffer_add_printf(j->out, "%llu", (unsigned long long)value);
}

void
json_bool(struct json *j, const char *key, bool value)
{
	json_key(j, key);
	evbuffer_add_printf(j->out, value ? "true" : "false");
}
