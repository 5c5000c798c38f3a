/* What there is to say of a name, to people and to programs. */
#ifndef SLUICE_CONTROL_NAME_TEXT_H
#define SLUICE_CONTROL_NAME_TEXT_H

#include "names.h"

enum name_state {
	NAME_ASKED,	 /* there was no answer yet */
	NAME_GOOD,	 /* its last answer was one */
	NAME_STALE,	 /* it was none, or half of one: what was known
			    before of the rest is still in use */
	NAME_UNRESOLVED, /* nor is there another */
};

enum name_state name_state(const struct name *);

/* "asked", "good", "stale", "unresolved". */
const char *name_state_text(enum name_state);

/* Logs that its question failed, or was answered for one family only, which the
 * name does not know yet; what was logged before is not said again. */
void name_log_bad(const struct name *, const struct config *, struct origin,
    const struct upstream_conf *, const char *why);
void name_log_half(const struct name *, const struct config *, struct origin,
    const struct upstream_conf *, const struct dns_reply *);

/* For how long it has been as it is, ms; of a good one, since its answer. */
uint64_t name_age(const struct name *, uint64_t now);

/* Why it is so, and what of it: "no such name; what it gave last, 2 addresses, is
 * used for at most 52m10s more".  Returns 'text' (NAME_WORDS bytes). */
#define NAME_WORDS 192
const char *name_words(const struct name *, uint64_t now, char *text);

/* Those whose last question failed, whatever they gave before.  NULL has none. */
size_t names_failing(const struct names *);

/* How many of an upstream's are stale (NULL has none), and for how long the one
 * that is the longest, ms. */
size_t	 names_stale(const struct names *);
uint64_t names_stale_ms(const struct names *, uint64_t now);

#endif
