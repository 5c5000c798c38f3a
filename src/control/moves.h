/* Which addresses an upstream has won and lost, in words. */
#ifndef SLUICE_CONTROL_MOVES_H
#define SLUICE_CONTROL_MOVES_H

#include "proxy/endpoint.h"

/* Of each so many are named. */
#define MOVES_NAMED 4
#define MOVES_TEXT  (2 * MOVES_NAMED * (ADDR_TEXT + 2) + 80)

/* "; came 10.0.0.4:80, 10.0.0.5:80 and 7 more; went 10.0.0.1:80".  Returns
 * 'text' (MOVES_TEXT bytes). */
const char *moves_text(const struct endpoint_set *before,
    const struct endpoint_set *after, char *text);

#endif
