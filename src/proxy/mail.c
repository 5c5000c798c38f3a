#include "proxy/mail.h"

#include <stdlib.h>
#include <unistd.h>

struct mail *
mail_new(enum mail_kind kind)
{
	struct mail *mail = calloc(1, sizeof(*mail));

	if (mail != NULL)
		mail->kind = kind;
	return mail;
}

void
mail_free(struct mail *mail)
{
	for (size_t i = 0; i < mail->nfds; i++)
		close(mail->fds[i].fd);
	free(mail->fds);
	snapshot_unref(mail->snapshot);
	endpoint_set_unref(mail->endpoints);
	conn_reset(&mail->client);
	free(mail);
}
