#include "control/control.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin.h"
#include "base/log.h"
#include "bind.h"
#include "config/snapshot.h"
#include "crew.h"
#include "host.h"
#include "logwriter.h"
#include "net/conn.h"
#include "net/sock.h"
#include "resolver.h"

#define EXIT_START_FAILED 3
#define INT_GRACE_MS	  1000

/*	RUNNING --TERM, QUIT, INT--> DRAINING --time, again--> KILLED
 *	   the last session ends: the workers end, and so do we */
enum stage { STAGE_RUNNING, STAGE_DRAINING, STAGE_KILLED };

struct control {
	struct config	    *config; /* the snapshot's */
	struct snapshot	    *snapshot;
	struct event_base   *base;
	struct crew	    *crew;
	struct resolver	    *resolver;
	int		     admin_fd; /* until the admin has it; -1: off */
	struct addr	     admin_at;
	struct admin	    *admin;
	struct event	     signals[5];
	struct event	     drain_timer;
	struct event	     ended_event;
	size_t		     ended; /* workers */
	enum stage	     stage;
	struct ending	     overdue; /* of what outlives the drain */
};

static void
control_kill(struct control *c, const struct ending *ending)
{
	uint64_t sessions = crew_sessions(c->crew);

	log_info("stopping now, %llu session%s", (unsigned long long)sessions,
	    sessions == 1 ? " ends" : "s end");
	c->stage = STAGE_KILLED;
	crew_kill(c->crew, ending);
}

static void
control_drain_event(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;

	(void)fd, (void)what;
	if (c->stage == STAGE_DRAINING)
		control_kill(c, &c->overdue);
}

/* 'rule' is the option behind the limit, or NULL. */
static void
control_drain(struct control *c, uint64_t limit_ms, const char *rule)
{
	struct timeval tv = { .tv_sec = (time_t)(limit_ms / 1000),
		.tv_usec = (suseconds_t)(limit_ms % 1000 * 1000) };
	uint64_t sessions = crew_sessions(c->crew);

	log_info("draining, %llu session%s", (unsigned long long)sessions,
	    sessions == 1 ? "" : "s");
	c->stage = STAGE_DRAINING;
	c->overdue = (struct ending){ .by = BY_PROXY, .how = HOW_DRAIN,
		.cause = rule != NULL ? "drained for" : "interrupted, drained for",
		.rule = rule, .of_global = true, .limit_ms = limit_ms };
	if (limit_ms > 0)
		event_add(&c->drain_timer, &tv);
	crew_drain(c->crew);
}

/* QUIT has no limit; a second TERM or INT means now. */
static void
control_signal_event(evutil_socket_t signal, short what, void *arg)
{
	const struct ending at_once = { .by = BY_PROXY, .how = HOW_DRAIN,
		.cause = "told to stop at once" };
	struct control *c = arg;

	(void)what;
	if (c->stage == STAGE_DRAINING && signal != SIGQUIT)
		control_kill(c, &at_once);
	else if (c->stage == STAGE_RUNNING && signal == SIGTERM)
		control_drain(c, c->config->global.drain_timeout,
		    "drain_timeout");
	else if (c->stage == STAGE_RUNNING)
		control_drain(c, signal == SIGINT ? INT_GRACE_MS : 0, NULL);
}

static void
control_reopen_event(evutil_socket_t signal, short what, void *arg)
{
	(void)what, (void)arg;
	logwriter_reopen();
	if (signal == SIGHUP)
		log_info("logs opened anew; reload is not there yet");
}

static void
control_ended_event(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;

	(void)fd, (void)what;
	c->ended += crew_ended(c->crew);
	if (c->ended == crew_size(c->crew))
		event_base_loopbreak(c->base);
}

static int
control_add_events(struct control *c)
{
	static const struct {
		int		  number;
		event_callback_fn run;
	} rows[] = {
		{ SIGTERM, control_signal_event },
		{ SIGINT, control_signal_event },
		{ SIGQUIT, control_signal_event },
		{ SIGHUP, control_reopen_event },
		{ SIGUSR1, control_reopen_event },
	};
	int error = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		event_assign(&c->signals[i], c->base, rows[i].number,
		    EV_SIGNAL | EV_PERSIST, rows[i].run, c);
		error |= event_add(&c->signals[i], NULL);
	}
	event_assign(&c->drain_timer, c->base, -1, 0, control_drain_event, c);
	event_assign(&c->ended_event, c->base, crew_shared(c->crew)->done_fd,
	    EV_READ | EV_PERSIST, control_ended_event, c);
	error |= event_add(&c->ended_event, NULL);
	return error == 0 ? 0 : -ENOMEM;
}

/* The mail that each worker starts with: the configuration and its listening
 * sockets. */
static struct mail **
control_mails(struct control *c, size_t count)
{
	struct mail **mails = calloc(count, sizeof(*mails));

	for (size_t i = 0; mails != NULL && i < count; i++) {
		mails[i] = mail_new(MAIL_SNAPSHOT);
		if (mails[i] == NULL)
			abort(); /* a few hundred bytes, at the very start */
		mails[i]->snapshot = snapshot_ref(c->snapshot);
	}
	return mails;
}

static int
control_listen(struct control *c, struct mail ***mails)
{
	size_t count = crew_size(c->crew);
	int error = -ENOMEM;

	*mails = control_mails(c, count);
	if (*mails != NULL)
		error = bind_open(c->config, *mails, count);
	if (error == 0)
		return 0;
	for (size_t i = 0; *mails != NULL && i < count; i++)
		mail_free((*mails)[i]);
	free(*mails);
	return error;
}

static void
control_greet(const struct control *c)
{
	const struct config *config = c->config;
	char status[ADDR_TEXT];

	for (size_t i = 0; i < config->nlisteners; i++) {
		const struct listener_conf *l = &config->listeners[i];

		for (size_t n = 0; n < l->nbinds; n++)
			log_info("forwarding %s -> %s", l->binds[n].text,
			    l->upstream->nservers == 1 ?
			    l->upstream->servers[0].name : l->upstream->name);
	}
	if (c->admin != NULL)
		log_info("status on http://%s/",
		    addr_text(&c->admin_at, status));
	log_info("%zu workers, at most %llu sessions", crew_size(c->crew),
	    (unsigned long long)crew_shared(c->crew)->sessions.max);
}

static int
control_make_crew(struct control *c)
{
	uint64_t fds = host_raise_fds(), max = c->config->global.max_sessions;
	size_t nworkers = c->config->global.workers;

	if (nworkers == 0)
		nworkers = host_cpus();
	if (max == 0)
		max = host_max_sessions(c->config, fds, nworkers);
	c->crew = crew_new(c->config, nworkers, max);
	c->base = conn_base_new();
	return c->crew != NULL && c->base != NULL ? 0 : -ENOMEM;
}

/* What may fail for want of a port or a right, before anything runs. */
static int
control_prepare(struct control *c, struct mail ***mails)
{
	int error = control_make_crew(c);

	if (error == 0)
		error = control_add_events(c);
	if (error < 0) {
		log_error(error, "cannot start");
		return error;
	}
	if (c->config->global.admin_addr.len > 0) {
		c->admin_fd = admin_bind(c->config);
		if (c->admin_fd < 0)
			return c->admin_fd;
		c->admin_at = c->config->global.admin_addr;
		addr_set_port(&c->admin_at, sock_port(c->admin_fd));
	}
	return control_listen(c, mails);
}

static int
control_serve(struct control *c)
{
	c->resolver = resolver_new(c->base, c->config, c->crew);
	if (c->resolver == NULL)
		return -ENOMEM;
	if (c->admin_fd < 0)
		return 0;
	c->admin = admin_new(c->base, c->admin_fd, c->config, c->crew,
	    c->resolver);
	if (c->admin == NULL)
		return -ENOMEM;
	c->admin_fd = -1;
	return 0;
}

static int
control_start(struct control *c)
{
	struct mail **mails;
	int error = control_prepare(c, &mails);

	if (error < 0)
		return error;
	error = crew_start(c->crew, mails);
	free(mails);
	if (error == 0)
		error = logwriter_start(crew_shared(c->crew));
	if (error == 0)
		error = control_serve(c);
	if (error < 0)
		log_error(error, "cannot start");
	return error;
}

/* A late signal would find the default action, once the loop that handles it is
 * gone, and turn a clean end into a kill. */
static void
control_block_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
}

static void
control_stop(struct control *c, int code)
{
	control_block_signals();
	if (c->crew != NULL) {
		crew_kill(c->crew, &c->overdue);
		crew_join(c->crew);
	}
	admin_free(c->admin);
	resolver_free(c->resolver);
	if (c->admin_fd >= 0)
		close(c->admin_fd);
	if (!logwriter_stop()) {
		bind_unlink(c->config);
		_exit(code); /* what is left to free is in use */
	}
	crew_free(c->crew);
	bind_unlink(c->config);
	if (c->base != NULL)
		event_base_free(c->base);
	snapshot_unref(c->snapshot);
}

static void
control_libevent_log(int severity, const char *message)
{
	if (severity == EVENT_LOG_ERR)
		log_error(0, "libevent: %s", message);
	else if (severity == EVENT_LOG_WARN)
		log_warn(0, "libevent: %s", message);
}

/* None of these may end a daemon. */
static void
control_ignore_signals(void)
{
	static const int numbers[] = { SIGPIPE, SIGHUP, SIGUSR1, SIGUSR2,
		SIGALRM, SIGWINCH };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		signal(numbers[i], SIG_IGN);
}

int
control_run(struct config *config)
{
	struct control c = { .config = config, .admin_fd = -1 };
	int error, code;

	host_fill_standard_fds();
	control_ignore_signals();
	event_set_log_callback(control_libevent_log);
	log_set_level(config->global.log_level);
	if (logwriter_open(config, false) < 0) {
		config_free(config);
		return EXIT_START_FAILED;
	}
	log_info("config %s", config->path != NULL ? config->path :
	    "of the command line");
	c.snapshot = snapshot_new(config);
	if (c.snapshot == NULL) {
		config_free(config);
		return EXIT_START_FAILED;
	}
	error = control_start(&c);
	if (error == 0) {
		control_greet(&c);
		logwriter_ready();
		event_base_loop(c.base, EVLOOP_NO_EXIT_ON_EMPTY);
		log_info("stopped");
	}
	code = error == 0 ? 0 : EXIT_START_FAILED;
	control_stop(&c, code);
	return code;
}
