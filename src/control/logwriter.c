#include "logwriter.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "config/option.h"
#include "sandbox.h"

#define NAP_MS	  20 /* lets records gather: at most 50 wake-ups a second */
#define FINISH_MS 900
#define STOP_MS	  1000

static struct logwriter {
	struct spool	spool; /* the thread's, where it runs */
	pthread_t	thread;
	atomic_bool	stopping;
	int		ended_fd; /* eventfd: the thread is done */
	pthread_mutex_t mutex;	  /* guards what follows, and the spool */
	bool		running;  /* before the thread runs */
	bool		echoes;	  /* stderr is told, too */
	bool		daemon;
} writer = {
	.spool.queue.mutex = PTHREAD_MUTEX_INITIALIZER,
	.spool.mutex = PTHREAD_MUTEX_INITIALIZER,
	.mutex = PTHREAD_MUTEX_INITIALIZER,
};

/* --- the thread */

/* Whoever writes after log_asleep was set wakes us, and what was written just
 * before is found by one more pass. */
static void
logwriter_sleep(void)
{
	const struct timespec nap = { .tv_nsec = NAP_MS * 1000000L };
	struct shared *shared = writer.spool.shared;

	atomic_store(&shared->log_asleep, true);
	if (!spool_pass(&writer.spool, false) &&
	    !spool_wait(&writer.spool, shared->log_fd) &&
	    !atomic_load(&writer.stopping))
		nanosleep(&nap, NULL);
}

static void *
logwriter_run(void *arg)
{
	(void)arg;
	sandbox_enter(SANDBOX_LOG);
	while (!atomic_load(&writer.stopping))
		if (!spool_pass(&writer.spool, false))
			logwriter_sleep();
	spool_finish(&writer.spool, true, clock_ms() + FINISH_MS);
	eventfd_write(writer.ended_fd, 1);
	return NULL;
}

/* --- everybody else */

/* Without the thread, whoever comes writes. */
static void
logwriter_nudge(void)
{
	struct shared *shared = writer.spool.shared;

	if (!writer.running)
		spool_finish(&writer.spool, false, UINT64_MAX);
	else if (atomic_exchange(&shared->log_asleep, false))
		eventfd_write(shared->log_fd, 1);
}

static void
logwriter_sink(enum log_level level, const char *line, size_t len)
{
	logqueue_put(&writer.spool.queue, level, line, len);
	pthread_mutex_lock(&writer.mutex);
	if (writer.echoes && level <= LOG_LEVEL_WARN)
		log_write_stderr(level, line, len);
	logwriter_nudge();
	pthread_mutex_unlock(&writer.mutex);
}

void
logwriter_answers(void)
{
	logqueue_forget(&writer.spool.queue);
}

int
logwriter_open(const struct config *config, bool daemon)
{
	struct logwant want;
	int error;

	logplan_want(config, daemon, &want);
	error = spool_open(&writer.spool, config, &want);
	if (error < 0)
		return error;
	writer.daemon = daemon;
	writer.echoes = want.log->to != LOG_TO_STDERR;
	log_set_sink(logwriter_sink);
	spool_warn(&writer.spool);
	return 0;
}

void
logwriter_give(uid_t uid, gid_t gid)
{
	spool_give(&writer.spool, uid, gid);
}

void
logwriter_ready(void)
{
	pthread_mutex_lock(&writer.mutex);
	writer.echoes = false;
	pthread_mutex_unlock(&writer.mutex);
}

void
logwriter_reopen(void)
{
	atomic_store(&writer.spool.reopening, true);
	pthread_mutex_lock(&writer.mutex);
	logwriter_nudge();
	pthread_mutex_unlock(&writer.mutex);
}

int
logwriter_prepare(const struct config *before, const struct config *after,
    struct logplan **plan, char *why)
{
	return logplan_new(before, after, writer.daemon, plan, why);
}

void
logwriter_commit(struct logplan *plan)
{
	if (plan == NULL)
		return;
	spool_change(&writer.spool, plan);
	pthread_mutex_lock(&writer.mutex);
	logwriter_nudge();
	pthread_mutex_unlock(&writer.mutex);
}

void
logwriter_set_tap(spool_tap *tap)
{
	atomic_store(&writer.spool.tap, tap);
	spool_want_records(&writer.spool);
}

uint64_t
logwriter_dropped(enum logdevice_kind kind)
{
	return spool_dropped(&writer.spool, kind);
}

/* --- start and stop */

int
logwriter_start(struct shared *shared)
{
	const struct thread thread = { .name = "log", .run = logwriter_run };
	int error;

	writer.ended_fd = eventfd(0, EFD_CLOEXEC);
	if (writer.ended_fd < 0)
		return -errno;
	atomic_store(&writer.stopping, false);
	pthread_mutex_lock(&writer.mutex);
	writer.spool.shared = shared;
	spool_want_records(&writer.spool);
	error = thread_start(&writer.thread, NULL, &thread);
	writer.running = error == 0;
	pthread_mutex_unlock(&writer.mutex);
	if (error < 0)
		close(writer.ended_fd);
	return error;
}

static bool
logwriter_join(void)
{
	struct pollfd ended = { writer.ended_fd, POLLIN, 0 };

	atomic_store(&writer.stopping, true);
	eventfd_write(writer.spool.shared->log_fd, 1);
	if (poll(&ended, 1, STOP_MS) <= 0)
		return false;
	pthread_join(writer.thread, NULL);
	close(writer.ended_fd);
	pthread_mutex_lock(&writer.mutex);
	writer.running = false;
	pthread_mutex_unlock(&writer.mutex);
	return true;
}

/* With the thread gone nobody is left to wait for stderr, and signals are
 * blocked: what it does not take at once is lost. */
static void
logwriter_late(enum log_level level, const char *line, size_t len)
{
	struct pollfd out = { STDERR_FILENO, POLLOUT, 0 };

	if (poll(&out, 1, 0) > 0)
		log_write_stderr(level, line, len);
}

bool
logwriter_stop(void)
{
	log_set_sink(logwriter_late);
	if (writer.running && !logwriter_join())
		return false;
	spool_close(&writer.spool);
	writer.spool.shared = NULL;
	return true;
}
