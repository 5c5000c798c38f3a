#include "proxy/mail.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "listener.h"
#include "pool.h"

struct mail *
mail_new(enum mail_kind kind)
{
	struct mail *mail = calloc(1, sizeof(*mail));

	if (mail != NULL)
		mail->kind = kind;
	return mail;
}

struct mail *
mail_new_endpoints(struct endpoint_set *set, uint64_t random)
{
	struct mail *mail = mail_new(MAIL_ENDPOINTS);

	if (mail == NULL)
		return NULL;
	mail->pool = pool_new(set, random);
	if (mail->pool == NULL) {
		free(mail);
		return NULL;
	}
	endpoint_set_ref(set);
	return mail;
}

int
mail_add_listener(struct mail *mail, int fd, const struct listener_conf *conf)
{
	struct listen_fd *fds;
	struct listener *listener;

	fds = realloc(mail->fds, (mail->nfds + 1) * sizeof(*fds));
	if (fds == NULL)
		return -ENOMEM;
	mail->fds = fds;
	listener = calloc(1, sizeof(*listener));
	if (listener == NULL)
		return -ENOMEM;
	fds[mail->nfds++] = (struct listen_fd){ .fd = fd, .conf = conf,
		.listener = listener };
	return 0;
}

void
mail_free(struct mail *mail)
{
	for (size_t i = 0; i < mail->nfds; i++) {
		close(mail->fds[i].fd);
		free(mail->fds[i].listener);
	}
	free(mail->fds);
	snapshot_unref(mail->snapshot);
	pool_unref(mail->pool);
	conn_reset(&mail->client);
	free(mail);
}

/* A visit is its sender's, wherever it is. */
static void
mail_drop(struct box_item *item)
{
	struct mail *mail = BOX_OWNER(item, struct mail, item);

	if (mail->kind != MAIL_VISIT)
		mail_free(mail);
}

struct box *
mail_box_new(void)
{
	return box_new(mail_drop);
}

struct mail *
mail_next(struct box_list *list)
{
	struct box_item *item = box_next(list);

	return item == NULL ? NULL : BOX_OWNER(item, struct mail, item);
}
