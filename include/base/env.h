/* What the environment says. */
#ifndef SLUICE_BASE_ENV_H
#define SLUICE_BASE_ENV_H

#include <stdbool.h>
#include <stdint.h>

/* The whole decimal number that a variable is; false: there is none, or it is no
 * number, and nothing is stored.  Reads the environment, which is nobody's to
 * change while threads run. */
bool env_number(const char *name, uint64_t *number);

#endif
