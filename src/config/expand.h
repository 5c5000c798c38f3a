/* "${NAME}" and "${NAME:-DEFAULT}" in the values of a file. */
#ifndef SLUICE_CONFIG_EXPAND_H
#define SLUICE_CONFIG_EXPAND_H

#include "reader.h"

/* Writes the value with the environment's variables in it, without blanks
 * around it, into 'out' of EXPAND_TEXT bytes.  "$$" is a dollar sign.  Returns
 * false after saying what is wrong; what a variable holds is not told. */
#define EXPAND_TEXT (READER_LINE + 1)
bool expand(struct report *, struct origin, const char *value, char *out);

#endif
