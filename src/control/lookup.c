#include "lookup.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct lookup_job {
	struct box    *box;
	struct lookup *lookup;
};

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
	box_put(job.box, &job.lookup->item);
	box_unref(job.box);
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
lookup_start(struct box *box, const struct upstream_conf *conf)
{
	struct lookup_job *job = malloc(sizeof(*job));
	int error = -ENOMEM;

	if (job == NULL)
		return error;
	job->lookup = lookup_new(conf);
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
