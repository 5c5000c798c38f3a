/* What the handlers of the admin server ask of a request, and how they reply.
 */
#include "admin_http.h"

#include <assert.h>
#include <ctype.h>
#include <event2/bufferevent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "json.h"
#include "reserve.h"

#define FAIL_TEXT 512

const struct admin_view *
admin_view(const struct admin_request *req)
{
	return req->door->admin->view;
}

/* SO_PEERCRED, unix(7). */
static struct ucred
admin_peer(const struct admin_request *req)
{
	struct ucred who = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(who);

	getsockopt(bufferevent_getfd(http_bev(req->http)), SOL_SOCKET,
	    SO_PEERCRED, &who, &len);
	return who;
}

uid_t
admin_uid(const struct admin_request *req)
{
	return admin_peer(req).uid;
}

const char *
admin_who(const struct admin_request *req, char *text)
{
	struct ucred who = admin_peer(req);

	snprintf(text, ADMIN_WHO, "uid %u, pid %d", (unsigned)who.uid,
	    (int)who.pid);
	return text;
}

const char *
admin_query(const struct admin_request *req, const char *name)
{
	return evhttp_find_header(&req->query, name);
}

bool
admin_query_at(const struct admin_request *req, size_t n, const char **name,
    const char **value)
{
	const struct evkeyval *pair = TAILQ_FIRST(&req->query);

	while (pair != NULL && n-- > 0)
		pair = TAILQ_NEXT(pair, next);
	if (pair == NULL)
		return false;
	*name = pair->key;
	*value = pair->value;
	return true;
}

const char *
admin_tail(const struct admin_request *req)
{
	return req->tail;
}

/* -1 where there are not two digits. */
static int
hex_byte(const char *text)
{
	char digits[3] = { text[0], text[0] == '\0' ? '\0' : text[1], '\0' };

	if (!isxdigit((unsigned char)digits[0]) ||
	    !isxdigit((unsigned char)digits[1]))
		return -1;
	return (int)strtol(digits, NULL, 16);
}

/* What libevent decodes may lie in the reserve, and is not for free(3). */
char *
admin_decode(const char *text)
{
	char *decoded = malloc(strlen(text) + 1), *out = decoded;

	while (decoded != NULL && *text != '\0') {
		int byte = *text == '%' ? hex_byte(text + 1) : -1;

		*out++ = byte < 0 ? *text : (char)byte;
		text += byte < 0 ? 1 : 3;
	}
	if (decoded != NULL)
		*out = '\0';
	return decoded;
}

bool
admin_wants_text(const struct admin_request *req)
{
	const char *format = admin_query(req, "format");

	return format != NULL && strcmp(format, "text") == 0;
}

struct evbuffer *
admin_body(struct admin_request *req)
{
	return req->body;
}

struct bufferevent *
http_bev(struct evhttp_request *http)
{
	struct evhttp_connection *c = evhttp_request_get_connection(http);

	return c == NULL ? NULL : evhttp_connection_get_bufferevent(c);
}

void
http_deafen(struct bufferevent *bev)
{
	if (bev != NULL)
		bufferevent_disable(bev, EV_READ);
}

bool
request_is_head(const struct admin_request *req)
{
	return evhttp_request_get_command(req->http) == EVHTTP_REQ_HEAD;
}

static void
request_sent(struct evhttp_request *http, void *admin)
{
	(void)http;
	admin_hurry(admin);
}

/* One request a connection: the time of one is the time of the other. */
void
request_headers(struct admin_request *req, const char *type)
{
	struct evkeyvalq *out = evhttp_request_get_output_headers(req->http);

	assert(!req->replied);
	req->replied = true;
	evhttp_request_set_on_complete_cb(req->http, request_sent,
	    req->door->admin);
	evhttp_add_header(out, "Content-Type", type);
	evhttp_add_header(out, "Connection", "close");
	evhttp_add_header(out, "Cache-Control", "no-store");
	evhttp_add_header(out, "X-Content-Type-Options", "nosniff");
	evhttp_add_header(out, "Content-Security-Policy",
	    "default-src 'none'; style-src 'unsafe-inline'; "
	    "frame-ancestors 'none'");
}

static const char *
request_reason(int code)
{
	static const struct {
		int	    code;
		const char *text;
	} reasons[] = {
		{ 200, "OK" },
		{ 202, "Accepted" },
		{ 400, "Bad Request" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 409, "Conflict" },
		{ 503, "Service Unavailable" },
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].code == code)
			return reasons[i].text;
	return "Internal Server Error";
}

/* Half of a body must not look like all of it. */
static bool
request_is_short(const struct admin_request *req)
{
	return reserve_failures() != req->failures;
}

void
admin_reply_as(struct admin_request *req, int code, const char *type)
{
	struct bufferevent *bev = http_bev(req->http);
	char length[24];

	if (request_is_short(req)) {
		code = 500;
		type = ADMIN_TEXT;
		evbuffer_drain(req->body, evbuffer_get_length(req->body));
		evbuffer_add(req->body, "out of memory\n", 14);
	}
	request_headers(req, type);
	snprintf(length, sizeof(length), "%zu",
	    evbuffer_get_length(req->body));
	evhttp_add_header(evhttp_request_get_output_headers(req->http),
	    "Content-Length", length);
	if (request_is_head(req))
		evbuffer_drain(req->body, evbuffer_get_length(req->body));
	evhttp_send_reply(req->http, code, request_reason(code), req->body);
	http_deafen(bev);
}

void
admin_reply(struct admin_request *req, const char *type)
{
	admin_reply_as(req, 200, type);
}

void
admin_fail(struct admin_request *req, int code, const char *format, ...)
{
	struct json json = { .out = req->body };
	char text[FAIL_TEXT];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	evbuffer_drain(req->body, evbuffer_get_length(req->body));
	if (admin_wants_text(req)) {
		evbuffer_add_printf(req->body, "%s\n", text);
	} else {
		json_begin(&json, NULL, '{');
		json_text(&json, "error", text);
		json_end(&json, '}');
		evbuffer_add(req->body, "\n", 1);
	}
	admin_reply_as(req, code,
	    admin_wants_text(req) ? ADMIN_TEXT : ADMIN_JSON);
}
