/* The worker's side of visits. */
#ifndef SLUICE_PROXY_VISIT_INTERNAL_H
#define SLUICE_PROXY_VISIT_INTERNAL_H

#include "proxy/visit.h"

struct worker;

/* Goes on with the visit that the mail is, and sends it back. */
void visit_run(struct worker *, struct mail *);

/* The session leaves worker->sessions: who would have looked at it next looks
 * at the one behind it. */
void visit_pass(struct worker *, const struct session *);

#endif
