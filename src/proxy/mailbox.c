#include "mailbox.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct mailbox {
	pthread_mutex_t	 mutex;
	struct mail_list mail;
	bool		 closed;
	int		 fd;
};

struct mailbox *
mailbox_new(void)
{
	struct mailbox *box = calloc(1, sizeof(*box));

	if (box == NULL)
		return NULL;
	box->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (box->fd < 0) {
		free(box);
		return NULL;
	}
	pthread_mutex_init(&box->mutex, NULL);
	STAILQ_INIT(&box->mail);
	return box;
}

void
mailbox_free(struct mailbox *box)
{
	struct mail *mail;

	if (box == NULL)
		return;
	while ((mail = STAILQ_FIRST(&box->mail)) != NULL) {
		STAILQ_REMOVE_HEAD(&box->mail, link);
		mail_free(mail);
	}
	pthread_mutex_destroy(&box->mutex);
	close(box->fd);
	free(box);
}

int
mailbox_fd(const struct mailbox *box)
{
	return box->fd;
}

bool
mailbox_put(struct mailbox *box, struct mail *mail)
{
	bool first, closed;

	pthread_mutex_lock(&box->mutex);
	closed = box->closed;
	first = STAILQ_EMPTY(&box->mail);
	if (!closed)
		STAILQ_INSERT_TAIL(&box->mail, mail, link);
	pthread_mutex_unlock(&box->mutex);
	if (!closed && first)
		eventfd_write(box->fd, 1);
	return !closed;
}

void
mailbox_take(struct mailbox *box, struct mail_list *mail)
{
	eventfd_t ignored;

	STAILQ_INIT(mail);
	eventfd_read(box->fd, &ignored);
	pthread_mutex_lock(&box->mutex);
	STAILQ_CONCAT(mail, &box->mail);
	pthread_mutex_unlock(&box->mutex);
}

bool
mailbox_close(struct mailbox *box)
{
	pthread_mutex_lock(&box->mutex);
	box->closed = STAILQ_EMPTY(&box->mail);
	pthread_mutex_unlock(&box->mutex);
	return box->closed;
}
