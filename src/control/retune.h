/* Options of listening sockets that stay: set on the live ones. */
#ifndef SLUICE_CONTROL_RETUNE_H
#define SLUICE_CONTROL_RETUNE_H

#include "ports.h"

/* Those that are KEPT and whose listener is not the same as before get what its
 * options say now, in this configuration.  What cannot be set is logged, and
 * stays as it was. */
void retune(const struct ports *, const struct config *);

#endif
