#include "signals.h"

#include <errno.h>
#include <signal.h>

#include "base/log.h"
#include "base/thread.h"
#include "logwriter.h"
#include "reload.h"

#define INT_GRACE_MS 1000
#define SIGNAL_NEXT  (SIGRTMIN + 1)

typedef void signal_action(struct signals *);

static void
signal_term(struct signals *s)
{
	const struct stop_order order = { .rule = "drain_timeout",
		.limit_ms = s->config->global.drain_timeout,
		.by_manager = true };

	stop_ask(s->stop, &order);
}

static void
signal_int(struct signals *s)
{
	const struct stop_order order = { .limit_ms = INT_GRACE_MS,
		.by_manager = true };

	stop_ask(s->stop, &order);
}

static void
signal_quit(struct signals *s)
{
	const struct stop_order order = { 0 };

	stop_gently(s->stop, &order);
}

static void
signal_next(struct signals *s)
{
	const struct stop_order order = { .rule = "drain_timeout",
		.limit_ms = s->config->global.drain_timeout, .goes_on = true,
		.by_manager = true };

	stop_ask(s->stop, &order);
}

static void
signal_usr1(struct signals *s)
{
	(void)s;
	logwriter_reopen();
}

static void
signal_hup(struct signals *s)
{
	const struct reload_told nobody = { 0 };

	logwriter_reopen();
	log_info("HUP: logs are opened anew, and the configuration is read");
	reload_run(s->control, false, NULL, &nobody);
}

static const struct {
	int	       number; /* 0: SIGNAL_NEXT, which is no constant */
	signal_action *action;
} ACTIONS[SIGNALS_HANDLED] = {
	{ SIGTERM, signal_term },
	{ SIGINT, signal_int },
	{ SIGQUIT, signal_quit },
	{ SIGUSR1, signal_usr1 },
	{ SIGHUP, signal_hup },
	{ 0, signal_next },
};

static int
signal_number(size_t i)
{
	return ACTIONS[i].number != 0 ? ACTIONS[i].number : SIGNAL_NEXT;
}

static void
signals_event(evutil_socket_t number, short what, void *arg)
{
	(void)what;
	for (size_t i = 0; i < SIGNALS_HANDLED; i++)
		if (signal_number(i) == number)
			ACTIONS[i].action(arg);
}

void
signals_ignore(void)
{
	static const int numbers[] = { SIGPIPE, SIGHUP, SIGUSR1, SIGUSR2,
		SIGALRM, SIGWINCH };

	sigset_t none;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		signal(numbers[i], SIG_IGN);
	/* What starts us may block some, and we would inherit that. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int
signals_init(struct signals *s, struct event_base *base,
    struct control *control, const struct config *config, struct stop *stop)
{
	int error = 0;

	s->control = control;
	s->config = config;
	s->stop = stop;
	for (size_t i = 0; i < SIGNALS_HANDLED; i++) {
		event_assign(&s->events[i], base, signal_number(i),
		    EV_SIGNAL | EV_PERSIST, signals_event, s);
		error |= event_add(&s->events[i], NULL);
	}
	return error == 0 ? 0 : -ENOMEM;
}

void
signals_block(void)
{
	thread_block_signals();
}
