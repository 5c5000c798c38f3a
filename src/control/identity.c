#include "identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "config/option.h"
#include "privileges.h"

static int
identity_unknown(const struct config *config, const char *key,
    const char *name, int error)
{
	char place[CONFIG_PLACE], why[IDENTITY_WHY];

	config_place(config, config_global_origin(config, key), place);
	log_error(0, "%s: %s", place, identity_why(key, name, error, why));
	return error;
}

const char *
identity_why(const char *key, const char *name, int error, char *why)
{
	if (error == -ENOENT)
		snprintf(why, IDENTITY_WHY, "there is no %s '%s' on this "
		    "machine", key, name);
	else
		snprintf(why, IDENTITY_WHY, "cannot look up %s '%s': %s", key,
		    name, strerror(-error));
	return why;
}

/* Behind a look that found nothing: whether there is nothing, or we are short
 * of something to look with (getpwnam(3), ERRORS). */
static int
identity_missing(void)
{
	switch (errno) {
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EIO:
		return -errno;
	default:
		return -ENOENT;
	}
}

/* Accounts may be numbers that have no name, as in containers. */
static bool
identity_number(const char *text, unsigned long *number)
{
	char *end;

	errno = 0;
	*number = strtoul(text, &end, 10);
	return errno == 0 && *end == '\0' && *text != '-' &&
	    *number < (uid_t)-1;
}

static void
identity_take(struct identity *id, const struct passwd *account)
{
	id->uid = account->pw_uid;
	id->gid = account->pw_gid;
	snprintf(id->name, sizeof(id->name), "%s", account->pw_name);
}

static int
identity_find_number(struct identity *id, uid_t uid)
{
	const struct passwd *account;

	errno = 0;
	account = getpwuid(uid);
	if (account == NULL && identity_missing() != -ENOENT)
		return identity_missing();
	id->uid = uid;
	id->gid = (gid_t)uid;
	if (account != NULL)
		identity_take(id, account);
	return 0;
}

static int
identity_find_user(struct identity *id, const char *user)
{
	const struct passwd *account;
	unsigned long number;
	int error;

	errno = 0;
	account = getpwnam(user);
	if (account != NULL) {
		identity_take(id, account);
		return 0;
	}
	error = identity_missing();
	return error == -ENOENT && identity_number(user, &number) ?
	    identity_find_number(id, (uid_t)number) : error;
}

int
identity_find_uid(const char *name, uid_t *uid)
{
	struct identity id;
	int error = identity_find_user(&id, name);

	if (error == 0)
		*uid = id.uid;
	return error;
}

int
identity_find_group(const char *name, gid_t *gid)
{
	const struct group *account;
	unsigned long number;
	int error;

	errno = 0;
	account = getgrnam(name);
	if (account != NULL) {
		*gid = account->gr_gid;
		return 0;
	}
	error = identity_missing();
	if (error != -ENOENT || !identity_number(name, &number))
		return error;
	*gid = (gid_t)number;
	return 0;
}

static uint64_t
identity_workers(const struct config *config)
{
	for (size_t i = 0; i < config->nupstreams; i++)
		if (config->upstreams[i].source_client)
			return PRIVILEGE(CAP_NET_RAW);
	return 0;
}

/* A port below 1024 may come with any reload; what needs more has to be there
 * at the start. */
static uint64_t
identity_main(const struct config *config)
{
	uint64_t keeps = PRIVILEGE(CAP_NET_BIND_SERVICE) |
	    identity_workers(config);

	for (size_t i = 0; i < config->nlisteners; i++)
		if (config->listeners[i].transparent ||
		    config->listeners[i].interface != NULL)
			keeps |= PRIVILEGE(CAP_NET_RAW);
	return keeps;
}

/* Not root: nothing to become, but what was asked for may differ. */
static void
identity_stay(const struct config *config, const struct identity *wanted)
{
	if (config->global.user != NULL && wanted->uid != geteuid())
		log_warn(0, "user = %s has no effect: only root can become "
		    "somebody else", config->global.user);
}

/* Root that is told nothing: without any such account it stays root, but not
 * since we could not look. */
static int
identity_find_default(const struct config *config, struct identity *id)
{
	static const char *const names[] = { "sluice", "nobody" };
	int error = -ENOENT;

	for (size_t i = 0; i < 2 && error == -ENOENT; i++) {
		error = identity_find_user(id, names[i]);
		if (error < 0 && error != -ENOENT)
			return identity_unknown(config, "user", names[i],
			    error);
	}
	return 0;
}

int
identity_find(const struct config *config, struct identity *id)
{
	const char *user = config->global.user, *group = config->global.group;
	int error = 0;

	*id = (struct identity){ .uid = geteuid(), .gid = getegid(),
		.chosen = user != NULL,
		.main = identity_main(config),
		.workers = identity_workers(config) };
	if (user != NULL && (error = identity_find_user(id, user)) < 0)
		return identity_unknown(config, "user", user, error);
	if (user == NULL && geteuid() == 0)
		error = identity_find_default(config, id);
	if (error < 0)
		return error;
	if (group != NULL && (error = identity_find_group(group, &id->gid)) < 0)
		return identity_unknown(config, "group", group, error);
	if (geteuid() != 0) {
		identity_stay(config, id);
		id->uid = geteuid();
		id->gid = getegid();
	}
	id->changes = id->uid != geteuid() || id->gid != getegid();
	return 0;
}

const char *
identity_text(const struct identity *id)
{
	static char number[16];

	snprintf(number, sizeof(number), "%u", (unsigned)id->uid);
	return id->name[0] != '\0' ? id->name : number;
}

static int
identity_set_groups(const struct identity *id)
{
	if (id->name[0] != '\0' ? initgroups(id->name, id->gid) < 0 :
	    setgroups(0, NULL) < 0)
		return -errno;
	return 0;
}

/* Of all that root may do little is left (capabilities(7)). */
static int
identity_change(const struct identity *id)
{
	int error = identity_set_groups(id);

	if (error == 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		error = -errno;
	if (error == 0 && setresgid(id->gid, id->gid, id->gid) < 0)
		error = -errno;
	if (error == 0 && setresuid(id->uid, id->uid, id->uid) < 0)
		error = -errno;
	prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	return error == 0 && id->uid != 0 ? privileges_keep(id->main) : error;
}

int
identity_assume(const struct identity *id)
{
	int error;

	if (!id->changes)
		return 0;
	error = identity_change(id);
	if (error == 0) {
		log_info("running as user %s, uid %u, gid %u",
		    id->name[0] != '\0' ? id->name : "without a name",
		    (unsigned)id->uid, (unsigned)id->gid);
		return 0;
	}
	/* Root of a container that may not do this has little to lose. */
	if (!id->chosen && error == -EPERM && geteuid() == 0) {
		log_warn(error, "stays root: cannot become user %s", id->name);
		return 0;
	}
	log_error(error, "cannot become uid %u, gid %u", (unsigned)id->uid,
	    (unsigned)id->gid);
	return error;
}
