/* -V. */
#ifndef SLUICE_CONTROL_VERSION_H
#define SLUICE_CONTROL_VERSION_H

#include <stdio.h>

/* Prints the version, the libraries in use, the kernel, and the limits that
 * decide how many sessions fit. */
void version_print(FILE *);

#endif
