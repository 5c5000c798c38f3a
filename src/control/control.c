#include "control-internal.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin.h"
#include "base/clock.h"
#include "base/log.h"
#include "bind.h"
#include "config/option.h"
#include "config/snapshot.h"
#include "control/reach.h"
#include "crew.h"
#include "daemon.h"
#include "doors.h"
#include "eject.h"
#include "events.h"
#include "greet.h"
#include "host.h"
#include "identity.h"
#include "logwriter.h"
#include "mails.h"
#include "manager.h"
#include "net/conn.h"
#include "net/sock.h"
#include "pidfile.h"
#include "pulse.h"
#include "reserve.h"
#include "resolver.h"
#include "sandbox.h"
#include "signals.h"
#include "stop.h"
#include "turnstile.h"

#define EXIT_START_FAILED 3
#define EXIT_GAVE_UP	  4 /* on a worker that hangs */
#define REPLIES_MS	  500 /* to send what was asked for before the end */

static void
control_ended_event(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;

	(void)fd, (void)what;
	c->ended += crew_ended(c->crew);
	if (c->ended == crew_size(c->crew))
		event_base_loopbreak(c->base);
}

static void
control_failed_event(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;

	(void)fd, (void)what;
	if (!crew_failed(c->crew))
		return;
	resolver_look(c->resolver);
	eject_look(c->servers);
}

/* It may have moved: no session tries it, so none would tell. */
static void
control_missed(void *arg, const struct server *server)
{
	struct control *c = arg;

	resolver_hurry(c->resolver, server->upstream->index,
	    &server->state->addr);
}

static int
control_add_events(struct control *c)
{
	stop_init(&c->stop, c->base, c->crew, &c->ports);
	event_assign(&c->ended_event, c->base, crew_shared(c->crew)->done_fd,
	    EV_READ | EV_PERSIST, control_ended_event, c);
	event_assign(&c->failed_event, c->base, crew_shared(c->crew)->failed_fd,
	    EV_READ | EV_PERSIST, control_failed_event, c);
	if (event_add(&c->ended_event, NULL) < 0 ||
	    event_add(&c->failed_event, NULL) < 0)
		return -ENOMEM;
	return signals_init(&c->signals, c->base, c, c->config, &c->stop);
}

static int
control_listen(struct control *c, struct mail **mails, size_t count)
{
	int turn, error;

	if (mails == NULL) {
		log_error(-ENOMEM, "cannot start");
		return -ENOMEM;
	}
	turn = turnstile_enter();
	error = bind_sweep(c->config, mails, &c->ports);
	if (error == 0)
		error = bind_open(c->config, mails, count, &c->ports);
	turnstile_leave(turn);
	if (error == 0)
		ports_commit(&c->ports);
	return error;
}

size_t
control_workers(const struct config *config)
{
	return config->global.workers > 0 ? config->global.workers :
	    host_cpus();
}

uint64_t
control_max_sessions(const struct config *config, size_t nworkers)
{
	uint64_t max = config->global.max_sessions;

	return max != 0 ? max : host_max_sessions(config, host_raise_fds(),
	    nworkers);
}

/* What could not be made just now, while errno still has libc's word for what
 * there is too little of. */
static int
control_lacks(const char *what)
{
	int error = sock_is_short(-errno) ? -errno : -ENOMEM;

	log_error(error, "cannot start %s", what);
	return error;
}

static int
control_make_crew(struct control *c)
{
	size_t nworkers = control_workers(c->config);
	uint64_t fds = host_raise_fds();

	c->crew = crew_new(c->config, nworkers, control_max_sessions(
	    c->config, nworkers));
	if (c->crew == NULL)
		return control_lacks("the workers");
	c->base = conn_base_new();
	if (c->base == NULL || ports_watch(&c->ports, c->base) < 0)
		return control_lacks("the event loop");
	crew_shared(c->crew)->max_pipes = host_max_pipes(fds, nworkers);
	return control_add_events(c) < 0 ? control_lacks("the event loop") : 0;
}

/* Logs and accounts.  Says itself what is wrong. */
static int
control_open(struct control *c)
{
	const struct config *config = c->config;
	int error = logwriter_open(config, c->background);

	if (error < 0)
		return error;
	log_info("config %s", config->path != NULL ? config->path :
	    "of the command line");
	for (size_t i = 1; i < config->nfiles; i++)
		log_info("config %s, included", config->files[i]);
	return identity_find(config, &c->identity);
}

/* Before a port is touched; but libevent, where it has no descriptors, ends the
 * process, and would leave the file. */
static int
control_hold_pid(struct control *c)
{
	const char *path = c->config->global.pid_file;

	c->pid_fd = pidfile_open(c->config);
	if (c->pid_fd <= 0)
		return c->pid_fd;
	c->pid_path = strdup(path);
	if (c->pid_path != NULL)
		return 0;
	log_error(-ENOMEM, "pid_file %s", path);
	return -ENOMEM;
}

/* All ports, while we may; then nobody special any more; then threads. */
static int
control_begin(struct control *c)
{
	size_t count = crew_size(c->crew);
	struct mail **mails;
	int error = admin_sockets_open(&c->sockets, c->config, &c->identity);

	if (error < 0)
		return error;
	mails = mails_new_snapshot(count, c->snapshot);
	error = control_listen(c, mails, count);
	if (c->identity.changes)
		logwriter_give(c->identity.uid, c->identity.gid);
	if (c->identity.changes && error == 0)
		bind_give(c->config, &c->ports, c->identity.uid,
		    c->identity.gid);
	if (error == 0)
		error = identity_assume(&c->identity);
	if (error < 0) {
		mails_free(mails, count);
		return error;
	}
	if (c->identity.changes)
		reach_warn(c->config, &c->identity);
	sandbox_prepare(&c->identity,
	    c->config->global.sandbox && sandbox_fits_build());
	crew_shared(c->crew)->began = sandbox_enter_worker;
	error = crew_start(c->crew, mails);
	free(mails);
	if (error < 0)
		log_error(error, "cannot start the workers");
	return error;
}

static int
control_start_log(struct control *c)
{
	int error = logwriter_start(crew_shared(c->crew));

	if (error < 0)
		log_error(error, "cannot start the log writer");
	return error;
}

/* What watches over servers and sessions, and lets operators in. */
static int
control_serve(struct control *c)
{
	c->servers = servers_new(c->base, c->config,
	    crew_shared(c->crew)->waits);
	if (c->servers == NULL)
		return control_lacks("the list of servers");
	c->resolver = resolver_new(c->base, c->snapshot, c->crew, c->servers);
	if (c->resolver == NULL)
		return control_lacks("the resolver");
	c->rates = rates_new(c->base, c->crew);
	c->pulse = pulse_new(c->base, c->crew, &c->config);
	if (c->rates == NULL || c->pulse == NULL)
		return control_lacks("to count");
	c->tours = tours_new(c->base, c->crew);
	if (c->tours == NULL)
		return control_lacks("to look at sessions");
	servers_set_tours(c->servers, c->tours);
	stop_set_tours(&c->stop, c->tours);
	c->doors = doors_new(c->base, c->config, c->crew, c->servers);
	if (c->doors == NULL)
		return control_lacks("to close listeners");
	servers_set_doors(c->servers, c->doors);
	servers_set_missed(c->servers, control_missed, c);
	if (events_open(c->base) < 0)
		return control_lacks("the stream of events");
	c->view = (struct admin_view){ .control = c, .reload = &c->reload,
		.generations = &c->generations,
		.config = c->config, .path = c->source.path,
		.crew = c->crew,
		.servers = c->servers, .resolver = c->resolver,
		.stop = &c->stop, .tours = c->tours, .doors = c->doors,
		.rates = c->rates, .pulse = c->pulse,
		.started_ms = clock_ms(),
		.started_wall = clock_wall() };
	clock_text(c->view.started_wall, c->view.started);
	c->reload.last_wall = c->view.started_wall;
	c->view.drains = c->drains = drains_new(c->base, &c->view);
	if (c->drains == NULL)
		return control_lacks("to drain");
	reserve_open();
	c->admin = admin_new(c->base, &c->sockets, &c->view);
	return c->admin == NULL ? control_lacks("the admin server") : 0;
}

/* In the background that is only so where somebody asked for it. */
static bool
control_logs_to_stderr(const struct config *config)
{
	bool given = config_global_origin(config, "log").kind !=
	    ORIGIN_DEFAULT;

	return (given && config->global.log.to == LOG_TO_STDERR) ||
	    config->global.access_log.to == LOG_TO_STDERR;
}

/* Everything is open: whoever waits for that is told. */
static int
control_ready(struct control *c)
{
	int error = pidfile_write(c->pid_fd);

	if (error < 0) {
		log_error(error, "cannot write pid_file %s", c->pid_path);
		return error;
	}
	if (watchdog_start(&c->watchdog, c->base, c->pulse) < 0)
		return control_lacks("the watchdog");
	greet(c);
	bind_tell_unused(&c->ports);
	ports_store(&c->ports);
	manager_ready(c);
	logwriter_ready();
	sandbox_enter(SANDBOX_MAIN);
	if (c->ready_fd >= 0)
		daemon_ready(c->ready_fd, control_logs_to_stderr(c->config));
	return 0;
}

/* Whoever fails has said why. */
static int
control_start(struct control *c)
{
	int error = control_open(c);

	if (error == 0)
		error = control_make_crew(c);
	if (error == 0)
		error = control_hold_pid(c);
	if (error == 0)
		error = control_begin(c);
	if (error == 0)
		error = control_start_log(c);
	if (error == 0)
		error = control_serve(c);
	return error < 0 ? error : control_ready(c);
}

static void
control_remove_files(struct control *c)
{
	admin_sockets_close(&c->sockets);
	ports_done(&c->ports, c->stop.goes_on);
	pidfile_close(c->pid_path, c->pid_fd);
	free(c->pid_path);
}

static void
control_stop(struct control *c, int code)
{
	bool over = !c->stop.gave_up;

	signals_block();
	if (c->crew != NULL && over) {
		crew_kill(c->crew, &c->stop.overdue);
		crew_join(c->crew);
	}
	over &= logwriter_stop();
	sandbox_done();
	events_end();
	admin_finish(c->admin, REPLIES_MS);
	admin_free(c->admin);
	events_close();
	if (!over) {
		control_remove_files(c);
		_exit(code); /* what is left to free is in use */
	}
	stop_done(&c->stop);
	drains_free(c->drains);
	rates_free(c->rates);
	pulse_free(c->pulse);
	resolver_free(c->resolver);
	servers_free(c->servers);
	doors_free(c->doors);
	tours_free(c->tours);
	crew_free(c->crew);
	control_remove_files(c);
	if (c->base != NULL)
		event_base_free(c->base);
	generations_done(&c->generations);
	free(c->path);
}

static void
control_libevent_log(int severity, const char *message)
{
	if (severity == EVENT_LOG_ERR)
		log_error(0, "libevent: %s", message);
	else if (severity == EVENT_LOG_WARN)
		log_warn(0, "libevent: %s", message);
}

static int
control_turn(struct control *c)
{
	event_base_loop(c->base, EVLOOP_NO_EXIT_ON_EMPTY);
	stop_tell(&c->stop);
	if (c->stop.gave_up)
		pulse_tell_last(c->pulse, clock_ms() - c->stop.since);
	log_info("stopped");
	return c->stop.gave_up ? EXIT_GAVE_UP : 0;
}

/* From here on in the child, where there is one. */
static int
control_run_here(struct control *c)
{
	int code;

	log_set_level(c->config->global.log_level);
	code = control_start(c) < 0 ? EXIT_START_FAILED : control_turn(c);
	control_stop(c, code);
	return code;
}

/* A reload finds the file wherever we are by then. */
static int
control_keep_source(struct control *c, const struct config_source *source)
{
	char *here = NULL;
	int len = 0;

	c->source = *source;
	if (source->path == NULL || source->path[0] == '/')
		return 0;
	here = getcwd(NULL, 0);
	if (here != NULL)
		len = asprintf(&c->path, "%s/%s", here, source->path);
	free(here);
	if (here == NULL || len < 0)
		return -ENOMEM;
	c->source.path = c->path;
	return 0;
}

/* The first configuration, which is ours from here on. */
static int
control_take_config(struct control *c, struct config *config,
    const struct config_source *source)
{
	c->config = config;
	c->snapshot = snapshot_new(config);
	if (c->snapshot == NULL) {
		config_free(config);
		return -ENOMEM;
	}
	if (generations_reserve(&c->generations) < 0) {
		snapshot_unref(c->snapshot);
		return -ENOMEM;
	}
	generations_add(&c->generations, c->snapshot);
	return control_keep_source(c, source);
}

/* Before there was anything to stop. */
static void
control_leave(struct control *c)
{
	generations_done(&c->generations);
	passed_done(&c->ports.passed);
	free(c->path);
}

int
control_run(struct config *config, const struct config_source *source,
    bool background)
{
	struct control c = { .background = background, .ready_fd = -1,
		.sockets = { .tcp_fd = -1, .unix_fd = -1 } };
	int code, passed;

	ports_init(&c.ports);
	passed = passed_init(&c.ports.passed);
	host_fill_standard_fds();
	host_return_memory();
	signals_ignore();
	event_set_log_callback(control_libevent_log);
	if (control_take_config(&c, config, source) < 0 || passed < 0 ||
	    reserve_init() < 0) {
		log_error(-ENOMEM, "cannot start");
		control_leave(&c);
		return EXIT_START_FAILED;
	}
	if (background && !daemon_fork(&c.ready_fd, &code)) {
		control_leave(&c);
		return code;
	}
	return control_run_here(&c);
}
