#include "proxy/mail.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "era.h"
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

struct mail *
mail_new_snapshot(struct snapshot *snapshot)
{
	struct mail *mail = mail_new(MAIL_SNAPSHOT);

	if (mail == NULL)
		return NULL;
	mail->era = era_new(snapshot);
	if (mail->era == NULL) {
		free(mail);
		return NULL;
	}
	mail->snapshot = snapshot_ref(snapshot);
	return mail;
}

int
mail_add_order(struct mail *mail, const struct listen_fd *order)
{
	struct listen_fd *fds;

	fds = realloc(mail->fds, (mail->nfds + 1) * sizeof(*fds));
	if (fds == NULL)
		return -ENOMEM;
	mail->fds = fds;
	fds[mail->nfds++] = *order;
	return 0;
}

int
mail_add_listener(struct mail *mail, int fd, const struct listener_conf *conf)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	const struct listen_fd order = { LISTEN_OPEN, fd, conf, listener,
		false };

	if (listener != NULL && mail_add_order(mail, &order) == 0)
		return 0;
	free(listener);
	return -ENOMEM;
}

void
mail_free(struct mail *mail)
{
	for (size_t i = 0; i < mail->nfds; i++) {
		if (mail->fds[i].order != LISTEN_OPEN)
			continue;
		close(mail->fds[i].fd);
		free(mail->fds[i].listener);
	}
	free(mail->fds);
	snapshot_unref(mail->snapshot);
	era_free(mail->era);
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
