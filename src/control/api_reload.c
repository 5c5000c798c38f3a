/* POST /api/reload: another configuration, or what it would change. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin-internal.h"
#include "json.h"
#include "reload.h"

/* Errors, warnings and differences, as text or as JSON. */
struct telling {
	struct evbuffer *out;
	struct json	 json;
	bool		 as_text;
	const char	*list; /* that has begun, or NULL */
};

/* Each kind comes in one piece. */
static void
telling_begin(struct telling *t, const char *list)
{
	if (t->as_text || (t->list != NULL && strcmp(t->list, list) == 0))
		return;
	if (t->list != NULL)
		json_end(&t->json, ']');
	json_begin(&t->json, list, '[');
	t->list = list;
}

static void
telling_line(struct telling *t, const char *list, const char *line)
{
	telling_begin(t, list);
	if (t->as_text)
		evbuffer_add_printf(t->out, "%s\n", line);
	else
		json_text(&t->json, NULL, line);
}

static void
telling_error(void *arg, const char *line)
{
	telling_line(arg, "errors", line);
}

static void
telling_warning(void *arg, const char *line)
{
	telling_line(arg, "warnings", line);
}

static const char *
telling_kind(const struct diff *d)
{
	switch (d->kind) {
	case DIFF_ADDED:
		return "added";
	case DIFF_REMOVED:
		return "removed";
	case DIFF_VALUE:
	case DIFF_ITEM:
		return "changed";
	case DIFF_ORDER:
		return "reordered";
	case DIFF_FILE:
		return "file";
	}
	return "";
}

static void
telling_differs_json(struct telling *t, const struct diff *d,
    uint64_t sessions)
{
	json_begin(&t->json, NULL, '{');
	json_text(&t->json, "section", d->section);
	json_text(&t->json, "name", d->name);
	json_text(&t->json, "what", telling_kind(d));
	json_text(&t->json, "key", d->key);
	json_text(&t->json, "before", d->before);
	json_text(&t->json, "after", d->after);
	json_number(&t->json, "sessions", sessions);
	json_bool(&t->json, "restart", d->restart);
	json_end(&t->json, '}');
}

/* "listener web: removed (12 sessions go on)". */
static void
telling_differs_text(struct telling *t, const struct diff *d,
    uint64_t sessions)
{
	char text[RELOAD_CHANGE];

	reload_change_text(d, text, sizeof(text));
	evbuffer_add_printf(t->out, "%s", text);
	if (d->restart)
		evbuffer_add_printf(t->out, " (takes a restart)");
	else if (sessions > 0)
		evbuffer_add_printf(t->out, " (%ju session%s keep%s what was)",
		    (uintmax_t)sessions, sessions == 1 ? "" : "s",
		    sessions == 1 ? "s" : "");
	evbuffer_add_printf(t->out, "\n");
}

static void
telling_differs(void *arg, const struct diff *d, uint64_t sessions)
{
	struct telling *t = arg;

	telling_begin(t, "changes");
	if (t->as_text)
		telling_differs_text(t, d, sessions);
	else
		telling_differs_json(t, d, sessions);
}

static const char *
reload_result_text(enum reload_result result, bool dry)
{
	switch (result) {
	case RELOAD_SAME:
		return "nothing is different";
	case RELOAD_DONE:
		return dry ? "would be reloaded" : "reloaded";
	case RELOAD_FAILED:
		break;
	}
	return dry ? "would not be reloaded" :
	    "not reloaded: what was before goes on";
}

static void
telling_end(struct telling *t, enum reload_result result, bool dry)
{
	const char *text = reload_result_text(result, dry);

	if (t->as_text) {
		evbuffer_add_printf(t->out, "%s\n", text);
		return;
	}
	if (t->list != NULL)
		json_end(&t->json, ']');
	json_text(&t->json, "result", text);
	json_end(&t->json, '}');
	evbuffer_add(t->out, "\n", 1);
}

/* Of a dry run, 202 is that there are differences. */
static int
reload_code(enum reload_result result, bool dry)
{
	if (result == RELOAD_FAILED)
		return 409;
	return result == RELOAD_DONE && dry ? 202 : 200;
}

/* Another file's errors quote its lines: it is for those who may read what the
 * daemon may. */
static bool
reload_may_name(struct admin_request *req, const char *path)
{
	uid_t uid = admin_uid(req);

	if (path == NULL || uid == 0 || uid == geteuid())
		return true;
	admin_fail(req, 403, "only root and the daemon's own user may name a "
	    "file");
	return false;
}

void
api_reload(struct admin_request *req)
{
	const char *path = admin_query(req, "path");
	bool dry = admin_query(req, "dry_run") != NULL;
	struct telling t = { .out = admin_body(req),
		.as_text = admin_wants_text(req) };
	const struct reload_told told = { telling_error, telling_warning,
		telling_differs, &t };
	enum reload_result result;

	if (path != NULL && !dry) {
		admin_fail(req, 400, "path goes with dry_run");
		return;
	}
	if (!reload_may_name(req, path))
		return;
	t.json.out = t.out;
	if (!t.as_text)
		json_begin(&t.json, NULL, '{');
	result = reload_run(admin_view(req)->control, dry, path, &told);
	telling_end(&t, result, dry);
	admin_reply_as(req, reload_code(result, dry), t.as_text ? ADMIN_TEXT :
	    ADMIN_JSON);
}
