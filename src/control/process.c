#include "process.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t
process_us(const struct timeval *tv)
{
	return (uint64_t)tv->tv_sec * 1000000 + (uint64_t)tv->tv_usec;
}

static void
process_memory(struct process *p)
{
	unsigned long long virtual, resident;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	FILE *f = fopen("/proc/self/statm", "re");

	if (f == NULL)
		return;
	if (fscanf(f, "%llu %llu", &virtual, &resident) == 2) {
		p->virtual_bytes = virtual * page;
		p->resident_bytes = resident * page;
	}
	fclose(f);
}

/* Since Linux 6.2 the folder's size is how many there are (proc(5)). */
static uint64_t
process_fds(void)
{
	struct stat folder;
	uint64_t count = 0;
	DIR *fds;

	if (stat("/proc/self/fd", &folder) == 0 && folder.st_size > 0)
		return (uint64_t)folder.st_size;
	fds = opendir("/proc/self/fd");
	if (fds == NULL)
		return 0;
	while (readdir(fds) != NULL)
		count++;
	closedir(fds);
	return count > 3 ? count - 3 : 0; /* ".", "..", and the folder's */
}

/* Of this network namespace, for IPv6 as well. */
static uint64_t
process_local_ports(void)
{
	FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	unsigned first, last;
	int found;

	if (f == NULL)
		return 0;
	found = fscanf(f, "%u %u", &first, &last);
	fclose(f);
	return found == 2 && first <= last ? last - first + 1 : 0;
}

void
process_look(struct process *p)
{
	struct rusage usage;
	struct rlimit fds;

	memset(p, 0, sizeof(*p));
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		p->cpu_us = process_us(&usage.ru_utime) +
		    process_us(&usage.ru_stime);
	if (getrlimit(RLIMIT_NOFILE, &fds) == 0)
		p->max_fds = fds.rlim_cur;
	process_memory(p);
	p->fds = process_fds();
	p->local_ports = process_local_ports();
}
