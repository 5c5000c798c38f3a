/* A mail for each worker: all of them are made, or none. */
#ifndef SLUICE_CONTROL_MAILS_H
#define SLUICE_CONTROL_MAILS_H

#include "proxy/mail.h"

/* NULL without memory. */
struct mail **mails_new(size_t count, enum mail_kind);
struct mail **mails_new_snapshot(size_t count, struct snapshot *);
struct mail **mails_new_endpoints(size_t count, struct endpoint_set *);

/* Those that were not sent; NULL is fine, and so is one that is NULL. */
void mails_free(struct mail **, size_t count);

#endif
