/* Load for measurements, on one thread: many connections on one epoll.
 *
 *	load connections [-c N] [-n COUNT] [-s SIZE] [OPTIONS] PORT
 *	load pingpong    [-c N] [-n COUNT] [-s SIZE] [-r RATE] [OPTIONS] PORT
 *	load upload      [-c N] [-s SIZE] [OPTIONS] PORT
 *	load download    [-c N] [OPTIONS] PORT
 *	load hold        [-c N] [-s SIZE] [OPTIONS] PORT
 *	load answer | sink | source [-s SIZE] [OPTIONS] PORT
 *
 * connections: N at a time connect, send SIZE bytes, receive as many, close.
 * pingpong: N connections send SIZE bytes, receive as many, again; all at once
 * or, with -r, RATE of them a second in all, each timed from when it was due.
 * upload and download: N streams carry as much as goes, SIZE bytes a call.
 * hold: N connections are made, move SIZE bytes each way, 64 of them at a time,
 * and stay.
 * answer is the server for connections, pingpong and hold, sink that for upload
 * and source that for download.  They print their port, a line of JSON for each
 * line of stdin (of which "a" and "s" say to compare all or spots from now on),
 * and end when stdin ends.
 *
 * OPTIONS: -t MILLISECONDS; -C NAME is the congestion control of its sockets; -v
 * compares all that is received, not just 4 KiB of each MiB of a stream (all
 * of what is answered is compared in any case); -w waits, once all connections
 * are made, which "ready" tells, for a line of stdin, and at the end for
 * stdin's end before it closes them.
 *
 * All of it on 127.0.0.1.  Ends after the time at the latest (and COUNT); what
 * is under way then gets 3 s more.  A client prints one line of JSON; there
 * busy is how much of the time its one thread had the processor, and
 * latencies are microseconds. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "load.h"

static void
report_latency(const struct histogram *h)
{
	static const struct {
		const char *name;
		double	    part;
	} PARTS[] = { { "p50", .5 }, { "p90", .9 }, { "p99", .99 },
		{ "p999", .999 } };

	for (size_t i = 0; h->total > 0 && i < 4; i++)
		printf(", \"%s\": %.2f", PARTS[i].name,
		    (double)histogram_part(h, PARTS[i].part) / 1e3);
	if (h->total > 0)
		printf(", \"max\": %.2f", (double)h->max / 1e3);
}

static void
report(struct load *l)
{
	double seconds = (double)(now_ns() - l->started) / 1e9;

	/* those that the grace was too short for */
	if (l->open > 0 && l->failed == 0)
		l->error = ETIMEDOUT;
	l->failed += l->open;
	if (l->started == 0)
		seconds = 0;
	if (l->npeers > 0 && l->peers[0].fd >= 0)
		congestion_note(l, l->peers[0].fd);
	printf("{\"done\": %llu, \"failed\": %llu, \"wrong\": %llu, "
	    "\"bytes\": %llu, \"seconds\": %.4f, \"busy\": %.3f, "
	    "\"congestion\": \"%s\"", (unsigned long long)l->done,
	    (unsigned long long)l->failed, (unsigned long long)l->wrong,
	    (unsigned long long)l->bytes, seconds,
	    seconds > 0 ? (load_cpu() - l->cpu) / seconds : 0,
	    l->controlled);
	report_latency(&l->latency);
	if (l->failed > 0)
		printf(", \"error\": \"%s\"", strerror(l->error));
	puts("}");
	fflush(stdout);
}

/* --- the arguments */

static const char USAGE[] =
    "usage: load connections|pingpong|upload|download|hold [-c N] [-n COUNT]\n"
    "            [-s SIZE] [-r RATE] [-t MS] [-C NAME] [-v] [-w] PORT\n"
    "       load answer|sink|source [-s SIZE] [-t MS] [-C NAME] [-v] "
    "PORT\n";

static noreturn void
usage(void)
{
	fputs(USAGE, stderr);
	exit(2);
}

static uint64_t
number(const char *text, uint64_t min, uint64_t max)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (*text == '\0' || *end != '\0' || n < min || n > max)
		usage();
	return n;
}

static const struct role *
role_find(const char *name)
{
	for (const struct role *r = CLIENTS; r->name != NULL; r++)
		if (strcmp(r->name, name) == 0)
			return r;
	for (const struct role *r = SERVERS; r->name != NULL; r++)
		if (strcmp(r->name, name) == 0)
			return r;
	usage();
}

static void
load_option(struct load *l, int option)
{
	bool client = !l->role->serves;

	if (option == 'c' && client)
		l->npeers = number(optarg, 1, 1000000);
	else if (option == 'n' && client)
		l->count = number(optarg, 1, UINT64_MAX);
	else if (option == 'r' && client)
		l->pace = 1000000000 / number(optarg, 1, 1000000);
	else if (option == 's')
		l->size = number(optarg, STREAM_HEAD, CHUNK_MAX);
	else if (option == 't')
		l->ms = number(optarg, 1, 86400000);
	else if (option == 'C')
		l->congestion = optarg;
	else if (option == 'v')
		l->look = LOOK_AT_ALL;
	else if (option == 'w' && client)
		l->waits = true;
	else
		usage();
}

static void
load_options(struct load *l, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "c:n:r:s:t:C:vw")) != -1)
		load_option(l, option);
	if (optind != argc - 1)
		usage();
	/* what is answered is small, and its content is what was asked */
	if (strcmp(l->role->name, "connections") == 0 ||
	    strcmp(l->role->name, "pingpong") == 0 ||
	    strcmp(l->role->name, "hold") == 0 ||
	    strcmp(l->role->name, "answer") == 0)
		l->look = LOOK_AT_ALL;
	l->addr = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons((uint16_t)number(argv[optind], 0, 65535)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static void
raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void
wait_for_end_of_input(void)
{
	while (getchar() != EOF)
		;
}

int
main(int argc, char **argv)
{
	static struct load load = { .count = UINT64_MAX };

	if (argc < 2)
		usage();
	load.input.fd = STDIN_FILENO;
	load.role = role_find(argv[1]);
	load.size = load.role->size;
	load.npeers = load.role->peers;
	load.ms = load.role->serves ? 3600000 : 5000;
	load_options(&load, argc - 1, argv + 1);
	raise_descriptors();
	stream_init();
	load_run(&load);
	if (load.role->serves)
		return 0;
	report(&load);
	if (load.waits)
		wait_for_end_of_input();
	return load.failed > 0;
}
