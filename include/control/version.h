/* -V. */
#ifndef SLUICE_CONTROL_VERSION_H
#define SLUICE_CONTROL_VERSION_H

#include <stdio.h>

/* "1.2.3", and the commit it was built from. */
const char *version_number(void);
const char *version_build(void);

/* Prints the version, the libraries in use, the kernel, and the limits that
 * decide how many sessions fit. */
void version_print(FILE *);

#endif
