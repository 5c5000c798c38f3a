/* A mutex, a list and an eventfd: how any thread asks a worker for something.
 */
#ifndef SLUICE_PROXY_MAILBOX_H
#define SLUICE_PROXY_MAILBOX_H

#include <stdbool.h>

#include "proxy/mail.h"

struct mailbox;

struct mailbox *mailbox_new(void);
void		mailbox_free(struct mailbox *); /* and the mail in it */
int		mailbox_fd(const struct mailbox *); /* readable: mail is there */

/* False once closed: the mail stays the sender's. */
bool mailbox_put(struct mailbox *, struct mail *);

/* Moves everything into 'mail', the oldest first. */
void mailbox_take(struct mailbox *, struct mail_list *mail);

/* Refuses mail from now on, unless some came in: false, take it first. */
bool mailbox_close(struct mailbox *);

#endif
