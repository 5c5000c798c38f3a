#include "control/reach.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "config/option.h"
#include "identity.h"

static void
reach_read(const char *path, const struct identity *id, const char *then)
{
	if (access(path, R_OK) < 0)
		log_warn(-errno, "user %s cannot read %s, and %s fails",
		    identity_text(id), path, then);
}

/* The same list may be in many listeners, one after the other. */
static void
reach_lists(const struct config *config, const struct identity *id)
{
	const char *last = "";

	for (size_t i = 0; i < config->nlisteners; i++) {
		const struct access_conf *access = &config->listeners[i].access;

		for (size_t n = 0; n < access->nrules; n++) {
			const char *path = access->rules[n].path;

			if (path == NULL || strcmp(path, last) == 0)
				continue;
			reach_read(path, id, "a reload");
			last = path;
		}
	}
}

/* Root makes it where it is not there yet, as may who rotates it: that the folder
 * is not the user's says nothing. */
static void
reach_log(const struct config *config, const struct identity *id,
    const char *key, const struct log_target *log)
{
	char place[CONFIG_PLACE];

	if (log->to == LOG_TO_FILE && access(log->path, W_OK) < 0 &&
	    errno != ENOENT)
		log_warn(-errno, "%s: %s: user %s cannot write %s, and USR1 "
		    "cannot open it anew", config_place(config,
		    config_global_origin(config, key), place), key,
		    identity_text(id), log->path);
}

void
reach_warn(const struct config *config, const struct identity *id)
{
	for (size_t i = 0; i < config->nfiles; i++)
		reach_read(config->files[i], id, "a reload");
	reach_lists(config, id);
	reach_log(config, id, "log", &config->global.log);
	reach_log(config, id, "access_log", &config->global.access_log);
}

static void
reach_as(const struct config *config, const struct identity *id)
{
	log_set_level(LOG_LEVEL_WARN); /* that it runs as somebody is no news */
	if (identity_assume(id) == 0)
		reach_warn(config, id);
}

/* A user that is not there yet can be asked nothing. */
void
reach_test(const struct config *config)
{
	const char *user = config->global.user, *group = config->global.group;
	struct identity id;
	uid_t uid;
	gid_t gid;
	pid_t child;

	if (geteuid() != 0 ||
	    (user != NULL && identity_find_uid(user, &uid) < 0) ||
	    (group != NULL && identity_find_group(group, &gid) < 0) ||
	    identity_find(config, &id) < 0 || !id.changes)
		return;
	fflush(stdout);
	child = fork();
	if (child == 0) {
		reach_as(config, &id);
		_exit(0);
	}
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}
