/* Who the daemon is once its ports are bound. */
#ifndef SLUICE_CONTROL_IDENTITY_H
#define SLUICE_CONTROL_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "config/config.h"

#define IDENTITY_NAME 64

struct identity {
	bool  changes; /* we are root, and are to become somebody else */
	bool  chosen;  /* the config names the user: a failure ends the start */
	uid_t uid;
	gid_t gid;
	uint64_t main;	  /* which of root's capabilities it keeps, */
	uint64_t workers; /* and what of those the workers need */
	char  name[IDENTITY_NAME]; /* of the user; "" where it has none */
};

/* A user, or a group, by its name or number: 0; -ENOENT: there is none; or what
 * there was too little of to look. */
int identity_find_uid(const char *name, uid_t *uid);
int identity_find_group(const char *name, gid_t *gid);

/* "there is no user 'x' on this machine", or what else the error was.  Returns
 * 'why', which has room for IDENTITY_WHY. */
#define IDENTITY_WHY 256
const char *identity_why(const char *key, const char *name, int error,
    char *why);

/* Its name, else its number, which lasts until the next call. */
const char *identity_text(const struct identity *);

/* Who that is by 'user' and 'group'; for root without 'user': sluice, else
 * nobody.  Not root: who we are.  0, or -errno after it was logged: there is
 * no such account, or it could not be looked up. */
int identity_find(const struct config *, struct identity *);

/* Becomes it, for good: group, supplementary groups, user, of all threads.
 * The main thread may still bind ports below 1024, for reloads.  0 or -errno
 * after it was logged. */
int identity_assume(const struct identity *);

#endif
