#include "crew.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rows.h"
#include "mails.h"
#include "proxy/clients.h"
#include "proxy/waitlist.h"

struct crew {
	struct shared shared;
	bool	      counts_clients;
	size_t	      nstarted;
	struct mail **drain; /* one a worker, owned until sent */
	struct mail **kill;
};

static bool
crew_complete(const struct crew *crew)
{
	const struct shared *s = &crew->shared;

	if (s->workers == NULL || s->listeners == NULL || s->waits == NULL ||
	    s->log_fd < 0 || s->done_fd < 0 || s->failed_fd < 0 ||
	    (s->clients == NULL && crew->counts_clients) ||
	    crew->drain == NULL || crew->kill == NULL)
		return false;
	for (size_t i = 0; i < s->nworkers; i++)
		if (s->workers[i] == NULL)
			return false;
	return true;
}

static bool
crew_counts_clients(const struct config *config)
{
	for (size_t i = 0; i < config->nlisteners; i++)
		if (clients_are_limited(&config->listeners[i]))
			return true;
	return false;
}

/* The time will do where the kernel has no random numbers yet. */
static struct clients *
crew_clients(void)
{
	uint64_t secret[4] = { clock_wall(), clock_us(), (uint64_t)getpid() };

	if (getrandom(secret, sizeof(secret), GRND_NONBLOCK) < 0)
		secret[3] = clock_wall() * 0x9e3779b97f4a7c15ULL;
	return clients_new(secret);
}

struct crew *
crew_new(const struct config *config, size_t nworkers, uint64_t max_sessions)
{
	struct crew *crew = line_alloc(sizeof(*crew));
	struct shared *s;
	int error;

	if (crew == NULL)
		return NULL;
	s = &crew->shared;
	s->sessions.max = max_sessions;
	s->listeners = rows_new(sizeof(*s->listeners),
	    config->listener_places);
	crew->counts_clients = crew_counts_clients(config);
	if (crew->counts_clients)
		s->clients = crew_clients();
	s->nlisteners = config->listener_places;
	s->nupstreams = config->upstream_places;
	s->waits = waitlists_new(s->nupstreams);
	s->nworkers = nworkers;
	s->log_fd = eventfd(0, EFD_CLOEXEC);
	s->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->failed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (getrandom(&s->boot, sizeof(s->boot), GRND_NONBLOCK) < 0)
		s->boot = (uint16_t)getpid();
	s->workers = calloc(nworkers, sizeof(*s->workers));
	for (size_t i = 0; s->workers != NULL && i < nworkers; i++)
		s->workers[i] = worker_new(s, (unsigned)i);
	crew->drain = mails_new(nworkers, MAIL_DRAIN);
	crew->kill = mails_new(nworkers, MAIL_KILL);
	if (!crew_complete(crew)) {
		error = errno;
		crew_free(crew);
		errno = error;
		return NULL;
	}
	crew_follow(crew, config);
	return crew;
}

static int
crew_grow_listeners(struct crew *crew, size_t count)
{
	struct shared *s = &crew->shared;
	int error = rows_grow(s->listeners, sizeof(*s->listeners), count);

	for (size_t i = 0; error == 0 && i < s->nworkers; i++)
		error = worker_grow(s->workers[i], count, s->nupstreams);
	if (error == 0)
		s->nlisteners = count;
	return error;
}

static int
crew_grow_upstreams(struct crew *crew, size_t count)
{
	struct shared *s = &crew->shared;
	int error = waitlists_grow(s->waits, s->nupstreams, count);

	for (size_t i = 0; error == 0 && i < s->nworkers; i++)
		error = worker_grow(s->workers[i], s->nlisteners, count);
	if (error == 0)
		s->nupstreams = count;
	return error;
}

int
crew_grow(struct crew *crew, const struct config *config)
{
	struct shared *s = &crew->shared;
	int error = 0;

	crew->counts_clients |= crew_counts_clients(config);
	if (crew->counts_clients && s->clients == NULL)
		s->clients = crew_clients();
	if (crew->counts_clients && s->clients == NULL)
		return -ENOMEM;
	if (config->listener_places > s->nlisteners)
		error = crew_grow_listeners(crew, config->listener_places);
	if (error == 0 && config->upstream_places > s->nupstreams)
		error = crew_grow_upstreams(crew, config->upstream_places);
	return error;
}

/* A rate that is another one has nothing to go on from. */
static void
crew_follow_listener(struct session_limit *limit,
    const struct listener_conf *conf)
{
	const struct rate_limit *rate = &conf->session_rate;

	limit->max = conf->max_sessions;
	if (limit->rate.count != rate->count || limit->rate.per != rate->per)
		limit->full = 0;
	limit->rate = *rate;
}

void
crew_follow(struct crew *crew, const struct config *config)
{
	for (size_t i = 0; i < config->nlisteners; i++)
		crew_follow_listener(&crew->shared.listeners[
		    config->listeners[i].index], &config->listeners[i]);
}

/* Nobody else knows of the place, or does any more. */
void
crew_clear_listener(struct crew *crew, size_t place)
{
	struct shared *s = &crew->shared;

	s->listeners[place].full = 0;
	for (size_t i = 0; i < s->nworkers; i++)
		memset(&worker_stats(s->workers[i])->listeners[place], 0,
		    sizeof(struct listener_stats));
}

void
crew_clear_upstream(struct crew *crew, size_t place)
{
	struct shared *s = &crew->shared;

	waitlist_pause(&s->waits[place], false);
	for (size_t i = 0; i < s->nworkers; i++)
		memset(&worker_stats(s->workers[i])->upstreams[place], 0,
		    sizeof(struct upstream_stats));
}

void
crew_free(struct crew *crew)
{
	struct shared *s;

	if (crew == NULL)
		return;
	s = &crew->shared;
	for (size_t i = 0; s->workers != NULL && i < s->nworkers; i++)
		worker_free(s->workers[i]);
	mails_free(crew->drain, s->nworkers);
	mails_free(crew->kill, s->nworkers);
	close(s->log_fd);
	close(s->done_fd);
	close(s->failed_fd);
	free(s->workers);
	rows_free(s->listeners, sizeof(*s->listeners));
	waitlists_free(s->waits, s->nupstreams);
	clients_free(s->clients);
	free(crew);
}

struct shared *
crew_shared(struct crew *crew)
{
	return &crew->shared;
}

size_t
crew_size(const struct crew *crew)
{
	return crew->shared.nworkers;
}

struct worker *
crew_worker(struct crew *crew, size_t i)
{
	return crew->shared.workers[i];
}

static void
crew_mail(struct crew *crew, size_t i, struct mail *mail)
{
	if (!worker_mail(crew->shared.workers[i], mail))
		mail_free(mail);
}

void
crew_tell(struct crew *crew, struct mail **mails)
{
	for (size_t i = 0; i < crew_size(crew); i++)
		crew_mail(crew, i, mails[i]);
}

int
crew_start(struct crew *crew, struct mail **mails)
{
	int error = 0;

	crew_tell(crew, mails);
	while (error == 0 && crew->nstarted < crew_size(crew)) {
		error = worker_start(crew_worker(crew, crew->nstarted));
		if (error == 0)
			crew->nstarted++;
	}
	return error;
}

int
crew_tell_endpoints(struct crew *crew, struct endpoint_set *set)
{
	struct mail **mails = mails_new_endpoints(crew_size(crew), set);

	if (mails == NULL)
		return -ENOMEM;
	crew_tell(crew, mails);
	free(mails);
	return 0;
}

int
crew_listen(struct crew *crew, const struct listener_conf *listener,
    enum listen_how listens)
{
	size_t count = crew_size(crew);
	struct mail **mails = mails_new(count, MAIL_LISTEN);

	if (mails == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		mails[i]->listener = listener;
		mails[i]->listens = listens;
		crew_mail(crew, i, mails[i]);
	}
	free(mails);
	return 0;
}

static void
crew_send(struct crew *crew, struct mail **mails)
{
	for (size_t i = 0; i < crew_size(crew); i++) {
		if (mails[i] != NULL)
			crew_mail(crew, i, mails[i]);
		mails[i] = NULL;
	}
}

void
crew_drain(struct crew *crew, bool goes_on)
{
	for (size_t i = 0; i < crew_size(crew); i++)
		if (crew->drain[i] != NULL)
			crew->drain[i]->goes_on = goes_on;
	crew_send(crew, crew->drain);
}

void
crew_kill(struct crew *crew, const struct ending *ending)
{
	for (size_t i = 0; i < crew_size(crew); i++)
		if (crew->kill[i] != NULL)
			crew->kill[i]->ending = *ending;
	crew_send(crew, crew->kill);
}

size_t
crew_ended(struct crew *crew)
{
	eventfd_t n = 0;

	if (eventfd_read(crew->shared.done_fd, &n) < 0)
		return 0;
	return (size_t)n;
}

/* Told again of what fails while we look. */
bool
crew_failed(struct crew *crew)
{
	eventfd_t n = 0;

	if (eventfd_read(crew->shared.failed_fd, &n) < 0)
		return false;
	atomic_store_explicit(&crew->shared.failed_told, false,
	    memory_order_release);
	return true;
}

void
crew_join(struct crew *crew)
{
	for (size_t i = 0; i < crew->nstarted; i++)
		worker_join(crew_worker(crew, i));
	crew->nstarted = 0;
}

uint64_t
crew_sessions(struct crew *crew)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < crew_size(crew); i++)
		sum += worker_sessions(crew_worker(crew, i));
	return sum;
}

/* Each turn counts, and each session that ends within one. */
uint64_t
crew_progress(struct crew *crew)
{
	uint64_t sum = 0;
	struct activity a;

	for (size_t i = 0; i < crew_size(crew); i++) {
		worker_activity(crew_worker(crew, i), &a);
		sum += a.turns - worker_sessions(crew_worker(crew, i));
	}
	return sum;
}

void
crew_sum_listener(const struct crew *crew, size_t i,
    struct listener_stats *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (size_t n = 0; n < crew_size(crew); n++)
		listener_stats_sum(sum,
		    &worker_stats(crew->shared.workers[n])->listeners[i]);
}

void
crew_sum_upstream(const struct crew *crew, size_t i,
    struct upstream_stats *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (size_t n = 0; n < crew_size(crew); n++)
		upstream_stats_sum(sum,
		    &worker_stats(crew->shared.workers[n])->upstreams[i]);
}

void
crew_sum_worker(const struct crew *crew, size_t i, struct listener_stats *sum)
{
	const struct worker_stats *stats;

	stats = worker_stats(crew->shared.workers[i]);
	memset(sum, 0, sizeof(*sum));
	for (size_t n = 0; n < crew->shared.nlisteners; n++)
		listener_stats_sum(sum, &stats->listeners[n]);
}
