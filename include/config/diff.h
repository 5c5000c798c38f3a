/* What is different in another configuration. */
#ifndef SLUICE_CONFIG_DIFF_H
#define SLUICE_CONFIG_DIFF_H

#include "config/config.h"

enum diff_kind {
	DIFF_ADDED,   /* a section */
	DIFF_REMOVED, /* a section */
	DIFF_VALUE,   /* of an option that is no list */
	DIFF_ITEM,    /* of a list: came or went */
	DIFF_ORDER,   /* of a list, in which it may matter */
	DIFF_FILE,    /* of a list of addresses: what the file holds */
};

/* What is told of one difference; texts last as long as the call. */
struct diff {
	enum diff_kind	kind;
	const char     *section; /* "global", "listener", "upstream" */
	const char     *name;	 /* of the section, NULL: global */
	size_t		place;	 /* of a listener or upstream */
	const char     *key;	 /* NULL: ADDED and REMOVED */
	const char     *before;	 /* as it is written; NULL: not set, or it came */
	const char     *after;	 /* as it is written; NULL: not set, or it went */
	bool		restart; /* a reload does not change it */
};

typedef void diff_tell(void *arg, const struct diff *);

/* Tells of all, in the order of the new one's sections; what was removed comes
 * last.  What takes a restart is compared with 'first', by which the process was
 * started.  Returns how many there are.  NULL: tells nobody. */
size_t config_diff(const struct config *first, const struct config *before,
    const struct config *after, diff_tell *, void *arg);

/* Tells of that alone which takes a restart. */
size_t config_diff_restart(const struct config *first,
    const struct config *after, diff_tell *, void *arg);

/* Whether two of the same name say the same. */
bool listener_conf_same(const struct listener_conf *,
    const struct listener_conf *);
bool upstream_conf_same(const struct upstream_conf *,
    const struct upstream_conf *);

#endif
