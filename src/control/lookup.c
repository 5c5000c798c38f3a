#include "lookup.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

STAILQ_HEAD(lookup_list, lookup);

struct lookup_box {
	pthread_mutex_t	   mutex;
	struct lookup_list done;
	unsigned	   refs; /* the owner, and each running look-up */
	int		   fd;
};

struct lookup_job {
	struct lookup_box *box;
	struct lookup	  *lookup;
};

struct lookup_box *
lookup_box_new(void)
{
	struct lookup_box *box = calloc(1, sizeof(*box));

	if (box == NULL)
		return NULL;
	box->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (box->fd < 0) {
		free(box);
		return NULL;
	}
	pthread_mutex_init(&box->mutex, NULL);
	STAILQ_INIT(&box->done);
	box->refs = 1;
	return box;
}

static void
lookup_box_unref(struct lookup_box *box)
{
	struct lookup *lookup;
	bool last;

	pthread_mutex_lock(&box->mutex);
	last = --box->refs == 0;
	pthread_mutex_unlock(&box->mutex);
	if (!last)
		return;
	while ((lookup = lookup_box_take(box)) != NULL)
		lookup_free(lookup);
	pthread_mutex_destroy(&box->mutex);
	close(box->fd);
	free(box);
}

void
lookup_box_close(struct lookup_box *box)
{
	lookup_box_unref(box);
}

int
lookup_box_fd(const struct lookup_box *box)
{
	return box->fd;
}

struct lookup *
lookup_box_take(struct lookup_box *box)
{
	struct lookup *lookup;
	eventfd_t ignored;

	eventfd_read(box->fd, &ignored);
	pthread_mutex_lock(&box->mutex);
	lookup = STAILQ_FIRST(&box->done);
	if (lookup != NULL)
		STAILQ_REMOVE_HEAD(&box->done, link);
	pthread_mutex_unlock(&box->mutex);
	return lookup;
}

void
lookup_free(struct lookup *lookup)
{
	for (size_t i = 0; i < lookup->count; i++) {
		if (lookup->hosts != NULL)
			free(lookup->hosts[i]);
		if (lookup->answers != NULL)
			free(lookup->answers[i].addrs);
	}
	free(lookup->hosts);
	free(lookup->ports);
	free(lookup->answers);
	free(lookup);
}

static struct lookup *
lookup_new(const struct upstream_conf *conf)
{
	struct lookup *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->upstream = conf->index;
	l->count = conf->nservers;
	l->hosts = calloc(l->count, sizeof(*l->hosts));
	l->ports = calloc(l->count, sizeof(*l->ports));
	l->answers = calloc(l->count, sizeof(*l->answers));
	if (l->hosts == NULL || l->ports == NULL || l->answers == NULL)
		goto fail;
	for (size_t i = 0; i < l->count; i++) {
		const struct server_conf *server = &conf->servers[i];

		l->ports[i] = server->port;
		if (server->host != NULL &&
		    (l->hosts[i] = strdup(server->host)) == NULL)
			goto fail;
	}
	return l;

fail:
	lookup_free(l);
	return NULL;
}

static void
lookup_keep(struct lookup_answer *answer, const struct addrinfo *list,
    uint16_t port)
{
	size_t count = 0;

	for (const struct addrinfo *i = list; i != NULL; i = i->ai_next)
		count++;
	answer->addrs = calloc(count, sizeof(*answer->addrs));
	if (answer->addrs == NULL) {
		answer->error = EAI_MEMORY;
		return;
	}
	for (const struct addrinfo *i = list; i != NULL; i = i->ai_next) {
		struct addr *addr = &answer->addrs[answer->count++];

		addr_from_sockaddr(addr, i->ai_addr, i->ai_addrlen);
		addr_set_port(addr, port);
	}
}

static void
lookup_ask(struct lookup *l, size_t i)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;

	l->answers[i].error = getaddrinfo(l->hosts[i], NULL, &hints, &list);
	if (l->answers[i].error != 0)
		return;
	lookup_keep(&l->answers[i], list, l->ports[i]);
	freeaddrinfo(list);
}

static void *
lookup_run(void *arg)
{
	struct lookup_job job = *(struct lookup_job *)arg;

	free(arg);
	for (size_t i = 0; i < job.lookup->count; i++)
		if (job.lookup->hosts[i] != NULL)
			lookup_ask(job.lookup, i);
	pthread_mutex_lock(&job.box->mutex);
	STAILQ_INSERT_TAIL(&job.box->done, job.lookup, link);
	eventfd_write(job.box->fd, 1);
	pthread_mutex_unlock(&job.box->mutex);
	lookup_box_unref(job.box);
	return NULL;
}

/* Detached: getaddrinfo(3) cannot be stopped, and nobody waits for it at exit.
 */
static int
lookup_spawn(struct lookup_job *job)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	int error;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&thread, &attr, lookup_run, job);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -error;
}

int
lookup_start(struct lookup_box *box, const struct upstream_conf *conf)
{
	struct lookup_job *job = malloc(sizeof(*job));
	int error = -ENOMEM;

	if (job == NULL)
		return error;
	job->box = box;
	job->lookup = lookup_new(conf);
	if (job->lookup != NULL) {
		pthread_mutex_lock(&box->mutex);
		box->refs++;
		pthread_mutex_unlock(&box->mutex);
		error = lookup_spawn(job);
		if (error == 0)
			return 0;
		lookup_box_unref(box);
		lookup_free(job->lookup);
	}
	free(job);
	return error;
}
