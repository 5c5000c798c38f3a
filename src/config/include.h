/* Which files "include = GLOB" names. */
#ifndef SLUICE_CONFIG_INCLUDE_H
#define SLUICE_CONFIG_INCLUDE_H

#include "report.h"

/* A path as seen from the folder of the file 'from', or NULL without memory. */
char *include_path(struct arena *, const char *from, const char *path);

/* The files, NULL-ended and in the order of their names' bytes: what the glob
 * matches, and that may be nothing; or the one file of a plain path.  Seen from
 * the folder of the file 'from'.  NULL after a report, or without memory. */
const char **include_files(struct report *, struct origin, const char *from,
    const char *glob);

#endif
