#include "crew.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "proxy/clients.h"
#include "proxy/waitlist.h"

struct crew {
	struct shared shared;
	bool	      counts_clients;
	size_t	      nstarted;
	struct mail **drain; /* one a worker, owned until sent */
	struct mail **kill;
};

static struct mail **
crew_mails(size_t count, enum mail_kind kind)
{
	struct mail **mails = calloc(count, sizeof(*mails));

	for (size_t i = 0; mails != NULL && i < count; i++)
		if ((mails[i] = mail_new(kind)) == NULL)
			break;
	return mails;
}

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
		if (s->workers[i] == NULL || crew->drain[i] == NULL ||
		    crew->kill[i] == NULL)
			return false;
	return true;
}

static struct session_limit *
crew_limits(const struct config *config)
{
	struct session_limit *limits;

	limits = line_alloc(config->nlisteners * sizeof(*limits));
	if (limits == NULL)
		return NULL;
	for (size_t i = 0; i < config->nlisteners; i++)
		limits[i].max = config->listeners[i].max_sessions;
	return limits;
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

	if (crew == NULL)
		return NULL;
	s = &crew->shared;
	s->sessions.max = max_sessions;
	s->listeners = crew_limits(config);
	crew->counts_clients = crew_counts_clients(config);
	if (crew->counts_clients)
		s->clients = crew_clients();
	s->nlisteners = config->nlisteners;
	s->nupstreams = config->nupstreams;
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
	crew->drain = crew_mails(nworkers, MAIL_DRAIN);
	crew->kill = crew_mails(nworkers, MAIL_KILL);
	if (crew_complete(crew))
		return crew;
	crew_free(crew);
	return NULL;
}

static void
crew_free_mails(struct mail **mails, size_t count)
{
	for (size_t i = 0; mails != NULL && i < count; i++)
		if (mails[i] != NULL)
			mail_free(mails[i]);
	free(mails);
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
	crew_free_mails(crew->drain, s->nworkers);
	crew_free_mails(crew->kill, s->nworkers);
	close(s->log_fd);
	close(s->done_fd);
	close(s->failed_fd);
	free(s->workers);
	free(s->listeners);
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

int
crew_start(struct crew *crew, struct mail **mails)
{
	int error = 0;

	for (size_t i = 0; i < crew_size(crew); i++)
		crew_mail(crew, i, mails[i]);
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
	size_t n = 0, count = crew_size(crew);
	struct mail **mails = calloc(count, sizeof(*mails));

	while (mails != NULL && n < count && (mails[n] =
	    mail_new_endpoints(set, (uint64_t)random())) != NULL)
		n++;
	if (n < count) {
		crew_free_mails(mails, n);
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		crew_mail(crew, i, mails[i]);
	free(mails);
	return 0;
}

int
crew_listen(struct crew *crew, const struct listener_conf *listener,
    bool listens)
{
	size_t count = crew_size(crew);
	struct mail **mails = crew_mails(count, MAIL_LISTEN);

	if (mails == NULL || mails[count - 1] == NULL) {
		crew_free_mails(mails, count);
		return -ENOMEM;
	}
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
crew_drain(struct crew *crew)
{
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
