#include "host.h"

#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define BIG_BLOCK	(64 * 1024) /* a spill is one */
#define FDS_MOST	(1024 * 1024)
#define FDS_KEPT	112 /* 64 of the admin server */
#define FDS_PER_SESSION 2
#define FDS_PER_PIPE	2
#define PIPES_SHARE	16

int
host_open_nothing(void)
{
	int fd = open("/dev/null", O_RDWR);

	return fd >= 0 ? fd : open("/", O_PATH);
}

void
host_fill_standard_fds(void)
{
	int fd;

	do
		fd = host_open_nothing();
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* glibc would raise its own threshold with the first big block that is freed,
 * and keep all that is below the highest one in use (mallopt(3)). */
void
host_return_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, BIG_BLOCK);
}

uint64_t
host_raise_fds(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1024;
	limit.rlim_cur = limit.rlim_max;
	if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > FDS_MOST)
		limit.rlim_cur = FDS_MOST;
	setrlimit(RLIMIT_NOFILE, &limit);
	getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur;
}

static uint64_t
host_listening(const struct config *config, size_t nworkers)
{
	uint64_t fds = 0;

	for (size_t i = 0; i < config->nlisteners; i++)
		for (size_t n = 0; n < config->listeners[i].nbinds; n++)
			fds += config->listeners[i].binds[n].ports * nworkers;
	return fds;
}

/* One for each server that is checked, as far as that is known. */
static uint64_t
host_checks(const struct config *config)
{
	uint64_t fds = 0;

	for (size_t i = 0; i < config->nupstreams; i++)
		if (config->upstreams[i].check != CHECK_OFF)
			fds += config->upstreams[i].nservers;
	return fds;
}

unsigned
host_max_pipes(uint64_t fds, size_t nworkers)
{
	uint64_t pipes = fds / PIPES_SHARE / FDS_PER_PIPE / nworkers;

	return pipes > 0 ? (unsigned)pipes : 1;
}

uint64_t
host_max_sessions(const struct config *config, uint64_t fds, size_t nworkers)
{
	/* a worker: epoll, its wake-up, the mailbox, the gate's timer */
	uint64_t kept = FDS_KEPT + 4 * nworkers +
	    host_listening(config, nworkers) + host_checks(config) +
	    fds / PIPES_SHARE;

	return fds > kept + 2 * FDS_PER_SESSION ?
	    (fds - kept) / FDS_PER_SESSION : 2;
}

/* CPUs by quota, rounded up; 0: none set.  Version 2 has both numbers in one
 * file, version 1 in two (cgroup-v2.rst, sched-bwc.rst). */
static size_t
host_quota(void)
{
	long long quota = -1, period = 0;
	FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");

	if (f != NULL) {
		if (fscanf(f, "%lld %lld", &quota, &period) != 2)
			quota = -1;
		fclose(f);
	} else {
		f = fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "re");
		if (f != NULL) {
			if (fscanf(f, "%lld", &quota) != 1)
				quota = -1;
			fclose(f);
		}
		f = fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "re");
		if (f != NULL) {
			if (fscanf(f, "%lld", &period) != 1)
				period = 0;
			fclose(f);
		}
	}
	return quota > 0 && period > 0 ?
	    (size_t)((quota + period - 1) / period) : 0;
}

size_t
host_cpus(void)
{
	size_t cpus = 1, quota = host_quota();
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		cpus = (size_t)CPU_COUNT(&set);
	return quota > 0 && quota < cpus ? quota : cpus;
}
