#include "logwriter.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "proxy/closerecord.h"

#define LINES	 256
#define NAP_MS	 20	/* lets records gather: at most 50 wake-ups a second */
#define STOP_MS	 1000

/* Lines wait in a small queue; full means dropped and counted, since nobody
 * may wait for the device behind it. */
static struct logwriter {
	struct shared  *shared;
	pthread_t	thread;
	atomic_bool	stopping;
	int		ended_fd; /* eventfd: the thread is done */
	pthread_mutex_t mutex;
	unsigned	first, count;
	uint64_t	dropped; /* lines; under the mutex */
	uint64_t	lost;	 /* writes that failed; the thread's own */
	uint64_t	told;	 /* drops that were spoken of */
	bool		records; /* access_log is not off */
	bool		running; /* the thread */
	_Atomic(logwriter_tap *) tap;
	char		lines[LINES][LOG_LINE];
} writer = { .mutex = PTHREAD_MUTEX_INITIALIZER };

/* False: the device took less than the whole, which is counted as a drop. */
static bool
logwriter_write(const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDERR_FILENO, text, len);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd fd = { STDERR_FILENO, POLLOUT, 0 };

			poll(&fd, 1, -1);
		} else if (n < 0 && errno != EINTR) {
			writer.lost++;
			return false;
		}
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return true;
}

static void
logwriter_wake(void)
{
	if (atomic_exchange(&writer.shared->log_asleep, false))
		eventfd_write(writer.shared->log_fd, 1);
}

static const char *
logwriter_prefix(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "error: ";
	case LOG_LEVEL_WARN:
		return "warning: ";
	case LOG_LEVEL_INFO:
	case LOG_LEVEL_DEBUG:
		break;
	}
	return "";
}

static void
logwriter_sink(enum log_level level, const char *line, size_t len)
{
	char *slot;

	pthread_mutex_lock(&writer.mutex);
	if (writer.count == LINES) {
		writer.dropped++;
	} else {
		slot = writer.lines[(writer.first + writer.count++) % LINES];
		snprintf(slot, LOG_LINE, "%s%.*s", logwriter_prefix(level),
		    (int)len, line);
	}
	pthread_mutex_unlock(&writer.mutex);
	logwriter_wake();
}

static bool
logwriter_take_line(char *line)
{
	bool found;

	pthread_mutex_lock(&writer.mutex);
	found = writer.count > 0;
	if (found) {
		strcpy(line, writer.lines[writer.first]);
		writer.first = (writer.first + 1) % LINES;
		writer.count--;
	}
	pthread_mutex_unlock(&writer.mutex);
	return found;
}

static bool
logwriter_lines(void)
{
	char line[LOG_LINE + 1];
	bool any = false;

	while (logwriter_take_line(line)) {
		size_t len = strlen(line);

		line[len++] = '\n';
		logwriter_write(line, len);
		any = true;
	}
	return any;
}

static bool
logwriter_records(struct ring *ring)
{
	char line[CLOSERECORD_LINE + 1];
	const struct closerecord *r;
	bool any = false;

	while ((r = ring_peek(ring)) != NULL) {
		size_t len = closerecord_line(r, LOG_FORMAT_TEXT, line,
		    CLOSERECORD_LINE);

		ring_pop(ring);
		line[len++] = '\n';
		logwriter_write(line, len);
		any = true;
	}
	return any;
}

/* Said once the device takes lines again. */
static void
logwriter_tell_drops(void)
{
	uint64_t dropped;
	char line[96];
	int n;

	pthread_mutex_lock(&writer.mutex);
	dropped = writer.dropped + writer.lost;
	pthread_mutex_unlock(&writer.mutex);
	for (size_t i = 0; i < writer.shared->nworkers; i++)
		dropped += ring_dropped(
		    worker_records(writer.shared->workers[i]));
	if (dropped == writer.told)
		return;
	n = snprintf(line, sizeof(line), "warning: log: %llu records dropped, "
	    "the device was slow or gone\n",
	    (unsigned long long)(dropped - writer.told));
	if (logwriter_write(line, (size_t)n))
		writer.told = dropped;
	else
		writer.lost--; /* this line is none of those counted */
}

static bool
logwriter_pass(void)
{
	bool any = false;

	for (size_t i = 0; i < writer.shared->nworkers; i++)
		if (logwriter_records(
		    worker_records(writer.shared->workers[i])))
			any = true;
	if (logwriter_lines())
		any = true;
	logwriter_tell_drops();
	return any;
}

/* Whoever writes after log_asleep was set wakes us, and what was written just
 * before is found by one more pass. */
static void
logwriter_sleep(void)
{
	struct timespec nap = { .tv_nsec = NAP_MS * 1000000L };
	eventfd_t ignored;

	atomic_store(&writer.shared->log_asleep, true);
	if (logwriter_pass())
		return;
	eventfd_read(writer.shared->log_fd, &ignored);
	if (!atomic_load(&writer.stopping))
		nanosleep(&nap, NULL);
}

static void *
logwriter_run(void *arg)
{
	(void)arg;
	while (!atomic_load(&writer.stopping))
		if (!logwriter_pass())
			logwriter_sleep();
	logwriter_pass();
	eventfd_write(writer.ended_fd, 1);
	return NULL;
}

int
logwriter_open(const struct config *config, bool daemon)
{
	(void)daemon;
	writer.records = config->global.access_log.to != LOG_TO_NOWHERE;
	return 0;
}

/* Workers make records while somebody takes them. */
static void
logwriter_want_records(void)
{
	if (writer.shared != NULL)
		atomic_store_explicit(&writer.shared->records_wanted,
		    writer.records || atomic_load(&writer.tap) != NULL,
		    memory_order_relaxed);
}

void
logwriter_set_tap(logwriter_tap *tap)
{
	atomic_store(&writer.tap, tap);
	logwriter_want_records();
}

void
logwriter_ready(void)
{
}

void
logwriter_reopen(void)
{
}

int
logwriter_start(struct shared *shared)
{
	sigset_t all, old;
	int error;

	writer.shared = shared;
	logwriter_want_records();
	atomic_store(&writer.stopping, false);
	writer.ended_fd = eventfd(0, EFD_CLOEXEC);
	if (writer.ended_fd < 0)
		return -errno;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&writer.thread, NULL, logwriter_run, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	writer.running = error == 0;
	if (writer.running)
		log_set_sink(logwriter_sink);
	return -error;
}

bool
logwriter_stop(void)
{
	struct pollfd ended = { writer.ended_fd, POLLIN, 0 };
	bool in_time;

	log_set_sink(NULL);
	if (!writer.running)
		return true;
	atomic_store(&writer.stopping, true);
	eventfd_write(writer.shared->log_fd, 1);
	in_time = poll(&ended, 1, STOP_MS) > 0;
	if (in_time) {
		pthread_join(writer.thread, NULL);
		close(writer.ended_fd);
	}
	return in_time;
}
