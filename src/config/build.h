/* A document -> values, then what they mean together. */
#ifndef SLUICE_CONFIG_BUILD_H
#define SLUICE_CONFIG_BUILD_H

#include "document.h"

/* Fills 'config' from the document: own lines, else those of [defaults], else
 * the table's.  Values live in 'arena'.  Reports each bad value once. */
void config_build(struct config *config, struct arena *arena,
    struct document *doc);

/* The same of [global] alone. */
void config_build_global(struct config *config, struct arena *arena,
    struct document *doc);

/* Resolves names and servers, and reports what is missing or contradicts. */
void config_check(struct config *config, struct arena *arena,
    struct document *doc);

/* Reads the lists that allow and deny name, and makes a listener's ranges
 * quick to look through. */
void config_access(struct config *config, struct arena *arena,
    struct document *doc);

/* Reports options of listening that no bind of the listener can have. */
void listener_check_listening(struct report *, struct listener_conf *);

/* Whether both would listen on an address and port in common. */
bool bind_overlaps(const struct bind_conf *, const struct bind_conf *);

#endif
