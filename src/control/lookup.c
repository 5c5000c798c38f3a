#include "lookup.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/thread.h"
#include "sandbox.h"

struct lookup_job {
	struct box    *box;
	struct lookup *lookup;
};

void
lookup_free(struct lookup *lookup)
{
	free(lookup->host);
	free(lookup->addrs);
	free(lookup);
}

static void
lookup_drop(struct box_item *item)
{
	lookup_free(BOX_OWNER(item, struct lookup, item));
}

struct box *
lookup_box_new(void)
{
	return box_new(lookup_drop);
}

struct lookup *
lookup_next(struct box_list *list)
{
	struct box_item *item = box_next(list);

	return item == NULL ? NULL : BOX_OWNER(item, struct lookup, item);
}

static struct lookup *
lookup_new(const char *host, uint64_t id)
{
	struct lookup *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->id = id;
	l->host = strdup(host);
	if (l->host != NULL)
		return l;
	lookup_free(l);
	return NULL;
}

static void
lookup_keep(struct lookup *l, const struct addrinfo *list)
{
	size_t count = 0;

	for (const struct addrinfo *i = list; i != NULL; i = i->ai_next)
		count++;
	l->addrs = calloc(count, sizeof(*l->addrs));
	if (l->addrs == NULL) {
		l->error = EAI_MEMORY;
		return;
	}
	for (const struct addrinfo *i = list; i != NULL; i = i->ai_next)
		addr_from_sockaddr(&l->addrs[l->count++], i->ai_addr,
		    i->ai_addrlen);
}

static void *
lookup_run(void *arg)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM };
	struct lookup_job job = *(struct lookup_job *)arg;
	struct addrinfo *list = NULL;
	struct lookup *l = job.lookup;

	free(arg);
	sandbox_enter(SANDBOX_LOOKUP);
	l->error = getaddrinfo(l->host, NULL, &hints, &list);
	if (l->error == 0) {
		lookup_keep(l, list);
		freeaddrinfo(list);
	}
	box_put(job.box, &l->item);
	box_unref(job.box);
	return NULL;
}

/* Detached: getaddrinfo(3) cannot be stopped, and nobody waits for it at exit.
 */
static int
lookup_spawn(struct lookup_job *job)
{
	const struct thread thread = { .name = "lookup", .run = lookup_run,
		.arg = job };
	pthread_attr_t attr;
	pthread_t id;
	int error;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	error = thread_start(&id, &attr, &thread);
	pthread_attr_destroy(&attr);
	return error;
}

int
lookup_start(struct box *box, const char *host, uint64_t id)
{
	struct lookup_job *job = malloc(sizeof(*job));
	int error = -ENOMEM;

	if (job == NULL)
		return error;
	job->lookup = lookup_new(host, id);
	if (job->lookup != NULL) {
		job->box = box_ref(box);
		error = lookup_spawn(job);
		if (error == 0)
			return 0;
		box_unref(box);
		lookup_free(job->lookup);
	}
	free(job);
	return error;
}
