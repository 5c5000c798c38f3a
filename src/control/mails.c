#include "mails.h"

#include <stdlib.h>

void
mails_free(struct mail **mails, size_t count)
{
	for (size_t i = 0; mails != NULL && i < count; i++)
		if (mails[i] != NULL)
			mail_free(mails[i]);
	free(mails);
}

static struct mail **
mails_make(size_t count, struct mail *(*make)(void *), void *arg)
{
	struct mail **mails = calloc(count, sizeof(*mails));

	for (size_t i = 0; mails != NULL && i < count; i++) {
		mails[i] = make(arg);
		if (mails[i] == NULL) {
			mails_free(mails, count);
			return NULL;
		}
	}
	return mails;
}

static struct mail *
mails_make_kind(void *kind)
{
	return mail_new(*(enum mail_kind *)kind);
}

struct mail **
mails_new(size_t count, enum mail_kind kind)
{
	return mails_make(count, mails_make_kind, &kind);
}

static struct mail *
mails_make_snapshot(void *snapshot)
{
	return mail_new_snapshot(snapshot);
}

struct mail **
mails_new_snapshot(size_t count, struct snapshot *snapshot)
{
	return mails_make(count, mails_make_snapshot, snapshot);
}

static struct mail *
mails_make_endpoints(void *set)
{
	return mail_new_endpoints(set, (uint64_t)random());
}

struct mail **
mails_new_endpoints(size_t count, struct endpoint_set *set)
{
	return mails_make(count, mails_make_endpoints, set);
}
