/* allow and deny: may a client come in? */
#ifndef SLUICE_PROXY_ACL_H
#define SLUICE_PROXY_ACL_H

#include <stdbool.h>

#include "config/config.h"

/* What the first range that has the client says. */
bool acl_allows(const struct access_conf *, const struct peer *);

/* How a client that is denied ends: the rule by name, which is put into 'text'
 * (ACL_TEXT bytes) and has to stay there for as long as the ending. */
#define ACL_TEXT 512
struct ending;
void acl_explain(const struct access_conf *, const struct peer *,
    struct ending *, char *text);

#endif
