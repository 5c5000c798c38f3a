#include "logplan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/option.h"

enum { OF_LOG, OF_ACCESS };

static const char *const OPTION_OF[] = { [OF_LOG] = "log",
	[OF_ACCESS] = "access_log" };

bool
log_target_is(const struct log_target *a, const struct log_target *b)
{
	return a->to == b->to &&
	    (a->to != LOG_TO_FILE || strcmp(a->path, b->path) == 0);
}

void
logplan_want(const struct config *config, bool daemon, struct logwant *want)
{
	static const struct log_target syslog = { .to = LOG_TO_SYSLOG };
	const struct global_conf *g = &config->global;

	*want = (struct logwant){ .log = &g->log,
		.records = g->access_log.to != LOG_TO_NOWHERE,
		.format = g->log_format };
	if (daemon && config_global_origin(config, "log").kind ==
	    ORIGIN_DEFAULT)
		want->log = &syslog;
	if (want->records && g->access_log.to != LOG_TO_LOG &&
	    !log_target_is(&g->access_log, want->log))
		want->access = &g->access_log;
}

static bool
target_same(const struct log_target *a, const struct log_target *b)
{
	return a == NULL || b == NULL ? a == b : log_target_is(a, b);
}

static bool
want_same(const struct logwant *a, const struct logwant *b)
{
	return target_same(a->log, b->log) &&
	    target_same(a->access, b->access) && a->records == b->records &&
	    a->format == b->format;
}

static bool
want_has(const struct logwant *want, const struct log_target *target)
{
	return log_target_is(want->log, target) ||
	    (want->access != NULL && log_target_is(want->access, target));
}

/* In the background stderr has been given up (daemon_ready). */
static bool
stderr_is_gone(void)
{
	struct stat err, null;

	return fstat(STDERR_FILENO, &err) < 0 ||
	    (stat("/dev/null", &null) == 0 && S_ISCHR(err.st_mode) &&
	    err.st_rdev == null.st_rdev);
}

static int
plan_copy(struct logplan *plan, int which, const struct log_target *target)
{
	plan->targets[which] = *target;
	if (target->path == NULL)
		return 0;
	plan->targets[which].path = strdup(target->path);
	return plan->targets[which].path == NULL ? -ENOMEM : 0;
}

static void
plan_why(const struct config *config, int which,
    const struct log_target *target, int error, char *why)
{
	char place[CONFIG_PLACE];

	config_place(config, config_global_origin(config, OPTION_OF[which]),
	    place);
	if (target->to == LOG_TO_STDERR && error == -ENOTCONN)
		snprintf(why, LOGPLAN_WHY, "%s: %s: stderr was given up when "
		    "the daemon went into the background", place,
		    OPTION_OF[which]);
	else
		snprintf(why, LOGPLAN_WHY, "%s: %s: cannot open %s: %s", place,
		    OPTION_OF[which],
		    target->path != NULL ? target->path : "stderr",
		    strerror(-error));
}

/* What is open already, by whichever option, is used as it is. */
static int
plan_open(struct logplan *plan, int which, const struct log_target *target,
    const struct logwant *now, bool daemon)
{
	int error = plan_copy(plan, which, target);

	if (error < 0 || want_has(now, target))
		return error;
	if (daemon && target->to == LOG_TO_STDERR && stderr_is_gone())
		return -ENOTCONN;
	return logdevice_open(&plan->opened[which], target);
}

static int
plan_fill(struct logplan *plan, const struct logwant *now,
    const struct config *after, bool daemon, char *why)
{
	const struct log_target *targets[] = { plan->want.log,
		plan->want.access };

	for (int i = OF_LOG; i <= OF_ACCESS; i++) {
		int error = 0;

		plan->spare[i] = calloc(1, sizeof(*plan->spare[i]));
		if (plan->spare[i] == NULL)
			error = -ENOMEM;
		else if (targets[i] != NULL)
			error = plan_open(plan, i, targets[i], now, daemon);
		if (error < 0) {
			plan_why(after, i, targets[i] != NULL ? targets[i] :
			    targets[OF_LOG], error, why);
			return error;
		}
	}
	plan->want.log = &plan->targets[OF_LOG];
	if (plan->want.access != NULL)
		plan->want.access = &plan->targets[OF_ACCESS];
	return 0;
}

int
logplan_new(const struct config *before, const struct config *after,
    bool daemon, struct logplan **made, char *why)
{
	struct logplan *plan;
	struct logwant now, then;
	int error;

	*made = NULL;
	logplan_want(before, daemon, &now);
	logplan_want(after, daemon, &then);
	if (want_same(&now, &then))
		return 0;
	plan = calloc(1, sizeof(*plan));
	if (plan == NULL) {
		snprintf(why, LOGPLAN_WHY, "out of memory");
		return -ENOMEM;
	}
	plan->want = then;
	error = plan_fill(plan, &now, after, daemon, why);
	if (error < 0)
		logplan_free(plan);
	else
		*made = plan;
	return error;
}

void
logplan_free(struct logplan *plan)
{
	if (plan == NULL)
		return;
	logplan_free(plan->before);
	for (int i = OF_LOG; i <= OF_ACCESS; i++) {
		logdevice_close(plan->opened[i]);
		free(plan->spare[i]);
		free(plan->targets[i].path);
	}
	free(plan);
}
