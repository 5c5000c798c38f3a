#include "reload.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/rows.h"
#include "bind.h"
#include "config/places.h"
#include "control-internal.h"
#include "logwriter.h"
#include "mails.h"
#include "manager.h"
#include "pauses.h"
#include "proxy/waitlist.h"
#include "retune.h"

#define CHANGES_LOGGED 20

struct reloading {
	struct control		 *c;
	bool			  dry;
	const struct reload_told *told;
	struct config		 *config;   /* until the snapshot has it */
	struct snapshot		 *snapshot; /* ours until the commit */
	struct mail		**mails;    /* likewise */
	struct logplan		 *logs;	    /* likewise */
	const struct config	**live;	    /* owned */
	size_t			  nlive;
	size_t			  changes;
	size_t			  restarts; /* of these: which take one */
	char			  why[RELOAD_WHY]; /* the first error */
};

/* --- what is told */

static void
reload_tell(struct reloading *r, const char *line)
{
	if (r->why[0] == '\0')
		snprintf(r->why, sizeof(r->why), "%s", line);
	if (r->told->error != NULL)
		r->told->error(r->told->arg, line);
}

static void __attribute__((format(printf, 2, 3)))
reload_fail(struct reloading *r, const char *format, ...)
{
	char line[LOG_LINE];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (!r->dry)
		log_error(0, "%s", line);
	reload_tell(r, line);
}

static void
reload_warn(const struct reloading *r, const char *line)
{
	if (!r->dry)
		log_warn(0, "%s", line);
	if (r->told->warning != NULL)
		r->told->warning(r->told->arg, line);
}

const char *
reload_change_text(const struct diff *d, char *text, size_t size)
{
	const char *section = d->name == NULL ? "" : d->section;
	const char *name = d->name == NULL ? d->section : d->name;
	const char *blank = d->name == NULL ? "" : " ";

	switch (d->kind) {
	case DIFF_ADDED:
		snprintf(text, size, "%s%s%s: added", section, blank, name);
		break;
	case DIFF_REMOVED:
		snprintf(text, size, "%s%s%s: removed", section, blank, name);
		break;
	case DIFF_VALUE:
		snprintf(text, size, "%s%s%s: %s %s -> %s", section, blank,
		    name, d->key, d->before != NULL ? d->before : "unset",
		    d->after != NULL ? d->after : "unset");
		break;
	case DIFF_ITEM:
		snprintf(text, size, "%s%s%s: %s %s %s", section, blank, name,
		    d->key, d->after != NULL ? "+" : "-",
		    d->after != NULL ? d->after : d->before);
		break;
	case DIFF_ORDER:
		snprintf(text, size, "%s%s%s: %s in another order", section,
		    blank, name, d->key);
		break;
	case DIFF_FILE:
		snprintf(text, size, "%s%s%s: %s: a file has other ranges",
		    section, blank, name, d->key);
		break;
	}
	return text;
}

/* Those that keep what was; of [global] they keep nothing. */
static uint64_t
reload_sessions(const struct control *c, const struct diff *d)
{
	const struct shared *shared = crew_shared(c->crew);

	if (d->kind == DIFF_ADDED || d->name == NULL)
		return 0;
	if (d->section[0] == 'l')
		return shared->listeners[d->place].used;
	return servers_sessions(c->servers, d->place);
}

static void
reload_differs(void *arg, const struct diff *d)
{
	struct reloading *r = arg;
	char text[RELOAD_CHANGE];

	if (r->told->differs != NULL)
		r->told->differs(r->told->arg, d, reload_sessions(r->c, d));
	r->restarts += d->restart;
	if (r->dry || r->changes++ >= CHANGES_LOGGED)
		return;
	reload_change_text(d, text, sizeof(text));
	if (d->restart)
		log_warn(0, "reload: %s: takes a restart", text);
	else
		log_info("reload: %s", text);
}

/* --- what may fail */

static int
reload_load(struct reloading *r, const char *path)
{
	struct config_source source = r->c->source;
	struct config_errors errors;

	if (path != NULL)
		source.path = path;
	r->config = config_load(&source, &errors);
	for (size_t i = 0; i < errors.count; i++)
		if (r->config != NULL)
			reload_warn(r, errors.lines[i]);
		else
			reload_fail(r, "%s", errors.lines[i]);
	if (r->config == NULL && errors.count == 0)
		reload_fail(r, "out of memory");
	config_errors_free(&errors);
	return r->config == NULL ? -EINVAL : 0;
}

static int
reload_place(struct reloading *r)
{
	int error = -ENOMEM;

	if (!resolver_is_behind(r->c->resolver))
		generations_sweep(&r->c->generations);
	r->nlive = r->c->generations.count;
	r->live = generations_configs(&r->c->generations);
	if (r->live != NULL)
		error = config_places(r->config, r->live, r->nlive, ROWS_MOST);
	if (error == -E2BIG)
		reload_fail(r, "more than %d listeners or upstreams, with those "
		    "that sessions still use", ROWS_MOST);
	else if (error < 0)
		reload_fail(r, "out of memory");
	return error;
}

/* Room for all that the commit will put somewhere. */
static int
reload_make_room(struct reloading *r)
{
	struct control *c = r->c;
	int error = crew_grow(c->crew, r->config);

	if (error == 0)
		error = servers_grow(c->servers, r->config);
	if (error == 0)
		error = resolver_grow(c->resolver, r->config);
	if (error == 0)
		error = doors_grow(c->doors, r->config);
	if (error == 0)
		error = generations_reserve(&c->generations);
	return error;
}

static int
reload_open_logs(struct reloading *r)
{
	char why[LOGPLAN_WHY];
	int error = logwriter_prepare(r->c->config, r->config, &r->logs, why);

	if (error < 0)
		reload_fail(r, "%s", why);
	return error;
}

/* What is wrong with a port has been logged already. */
static int
reload_prepare(struct reloading *r)
{
	struct control *c = r->c;
	size_t count = crew_size(c->crew);
	int error = reload_open_logs(r);

	if (error < 0)
		return error;
	error = reload_make_room(r);
	if (error == 0 && (r->snapshot = snapshot_new(r->config)) == NULL)
		error = -ENOMEM;
	if (error == 0 && (r->mails = mails_new_snapshot(count,
	    r->snapshot)) == NULL)
		error = -ENOMEM;
	if (error < 0) {
		reload_fail(r, "out of memory");
		return error;
	}
	error = bind_open(r->config, r->mails, count, &c->ports);
	if (error < 0)
		reload_tell(r, c->ports.why[0] != '\0' ? c->ports.why :
		    "the listeners cannot be bound: the log says why");
	return error;
}

static void
reload_hear(void *arg, const char *line)
{
	reload_tell(arg, line);
}

static int
reload_rehearse(struct reloading *r)
{
	const struct bind_told told = { reload_hear, r };

	return bind_rehearse(r->config, &r->c->ports, &told);
}

/* --- what cannot */

static bool
reload_is_new(const struct reloading *r, size_t place, bool listener)
{
	for (size_t n = 0; n < r->nlive; n++) {
		const struct config *live = r->live[n];

		if (listener && config_listener_at(live, place) != NULL)
			return false;
		if (!listener && config_upstream_at(live, place) != NULL)
			return false;
	}
	return true;
}

/* A place may have been another's before. */
static void
reload_clear(const struct reloading *r)
{
	const struct config *config = r->config;
	struct crew *crew = r->c->crew;

	for (size_t i = 0; i < config->nlisteners; i++)
		if (reload_is_new(r, config->listeners[i].index, true))
			crew_clear_listener(crew, config->listeners[i].index);
	for (size_t i = 0; i < config->nupstreams; i++)
		if (reload_is_new(r, config->upstreams[i].index, false))
			crew_clear_upstream(crew, config->upstreams[i].index);
}

/* Who waits for a server of an upstream that is gone shall not do so for ever. */
static void
reload_release(const struct reloading *r)
{
	const struct config *before = r->c->config;

	for (size_t i = 0; i < before->nupstreams; i++) {
		size_t place = before->upstreams[i].index;

		if (config_upstream_at(r->config, place) != NULL)
			continue;
		pauses_end(r->c->servers, &before->upstreams[i]);
		waitlist_pause(&crew_shared(r->c->crew)->waits[place], false);
	}
}

static void
reload_commit(struct reloading *r)
{
	struct control *c = r->c;

	reload_clear(r);
	reload_release(r);
	crew_follow(c->crew, r->config);
	crew_shared(c->crew)->sessions.max = control_max_sessions(r->config,
	    crew_size(c->crew));
	retune(&c->ports, r->config);
	ports_commit(&c->ports);
	ports_store(&c->ports);
	crew_tell(c->crew, r->mails);
	free(r->mails);
	r->mails = NULL;
	c->config = c->view.config = c->signals.config = r->config;
	c->snapshot = r->snapshot;
	generations_add(&c->generations, r->snapshot);
	r->snapshot = NULL;
	r->config = NULL;
	logwriter_commit(r->logs);
	r->logs = NULL;
	log_set_level(c->config->global.log_level);
	rates_follow(c->rates);
	servers_set_config(c->servers, c->config);
	doors_follow(c->doors, c->config);
	drains_follow(c->drains);
	resolver_follow(c->resolver, c->snapshot);
}

/* --- the whole */

static void
reload_undo(struct reloading *r)
{
	if (r->mails != NULL)
		ports_abort(&r->c->ports);
	mails_free(r->mails, crew_size(r->c->crew));
	logplan_free(r->logs);
	if (r->snapshot != NULL)
		snapshot_unref(r->snapshot);
	else
		config_free(r->config);
	free(r->live);
}

/* What takes a restart is as it was then. */
static const struct config *
reload_first(const struct control *c)
{
	return snapshot_config(c->generations.first);
}

void
reload_tell_restart(const struct control *c, diff_tell *tell, void *arg)
{
	config_diff_restart(reload_first(c), c->config, tell, arg);
}

/* What says the same may stand in other lines. */
static enum reload_result
reload_try(struct reloading *r, const char *path)
{
	enum reload_result result = RELOAD_DONE;
	struct control *c = r->c;

	if (c->stop.stage != STOP_RUNNING) {
		reload_fail(r, "the daemon is stopping");
		return RELOAD_FAILED;
	}
	if (reload_load(r, path) < 0 || reload_place(r) < 0)
		return RELOAD_FAILED;
	if ((r->dry ? reload_rehearse(r) : reload_prepare(r)) < 0)
		return RELOAD_FAILED;
	if (config_diff(reload_first(c), c->config, r->config, reload_differs,
	    r) == 0)
		result = RELOAD_SAME;
	if (!r->dry)
		reload_commit(r);
	return result;
}

static void
reload_log_done(const struct reloading *r)
{
	const struct config *config = r->c->config;
	char restarts[64] = "";

	if (r->restarts > 0)
		snprintf(restarts, sizeof(restarts), ", of which %zu take%s a "
		    "restart", r->restarts, r->restarts == 1 ? "s" : "");
	log_info("reloaded: %zu change%s%s, %zu listener%s, %zu upstream%s",
	    r->changes, r->changes == 1 ? "" : "s", restarts,
	    config->nlisteners, config->nlisteners == 1 ? "" : "s",
	    config->nupstreams, config->nupstreams == 1 ? "" : "s");
}

static void
reload_log(const struct reloading *r, enum reload_result result)
{
	switch (result) {
	case RELOAD_SAME:
		log_info("reload: nothing is different");
		break;
	case RELOAD_DONE:
		if (r->changes > CHANGES_LOGGED)
			log_info("reload: and %zu more", r->changes -
			    CHANGES_LOGGED);
		reload_log_done(r);
		break;
	case RELOAD_FAILED:
		log_error(0, "not reloaded: what was before goes on");
		break;
	}
}

enum reload_result
reload_run(struct control *c, bool dry, const char *path,
    const struct reload_told *told)
{
	struct reloading r = { .c = c, .dry = dry, .told = told };
	struct reload *state = &c->reload;
	enum reload_result result;

	if (!dry) {
		logwriter_answers();
		manager_reloading(c);
	}
	result = reload_try(&r, path);
	if (!dry) {
		reload_log(&r, result);
		state->last_failed = result == RELOAD_FAILED;
		memcpy(state->why, r.why, sizeof(state->why));
		state->done += result != RELOAD_FAILED;
		state->failed += result == RELOAD_FAILED;
		if (result != RELOAD_FAILED)
			state->last_wall = clock_wall();
		manager_reloaded(c);
	}
	reload_undo(&r);
	return result;
}
