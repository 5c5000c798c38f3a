/* TLS by OpenSSL, where the build has it. */
#ifndef SLUICE_CONTROL_CHECK_TLS_H
#define SLUICE_CONTROL_CHECK_TLS_H

/* For -V: the library that runs, or that there is none. */
const char *check_tls_version(void);

#endif
