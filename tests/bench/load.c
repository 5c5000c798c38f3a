/* Load for measurements, on one thread: many connections on one epoll.
 *
 *	load connections [-c N] [-n COUNT] [-s SIZE] [-t SECONDS] PORT
 *	load bulk        [-c N]            [-s SIZE] [-t SECONDS] PORT
 *	load answer | sink                           [-t SECONDS] PORT
 *
 * connections: N at a time connect, send SIZE bytes, receive as many, close.
 * bulk: N streams send as much as goes, SIZE bytes a call, and end with a FIN.
 * answer and sink are the servers for these two: they take what comes, answer
 * returns as many bytes; they print their port, and end when stdin ends.
 *
 * All of it on 127.0.0.1.  Ends after SECONDS at the latest (and COUNT
 * connections), and what is under way then gets another GRACE_MS.  A client
 * prints one line of JSON. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define GRACE_MS   3000
#define CHUNK_MAX  (1 << 20)
#define EVENTS	   256
#define ACCEPT_MAX 64

struct load;

/* One connection, of either side. */
struct peer {
	int	 fd; /* -1: none */
	bool	 eof;
	uint64_t sent, received;
};

struct role {
	const char *name;
	bool	    serves;
	size_t	    size, peers; /* unless the arguments say otherwise */
	uint32_t    events;	 /* that a peer's socket is asked for */
	void	    (*event)(struct load *, struct peer *, uint32_t);
	void	    (*end)(struct load *, struct peer *); /* no more time */
};

struct load {
	const struct role *role;
	struct sockaddr_in addr;
	size_t		   size;
	uint64_t	   count; /* clients: how many may still begin */
	uint64_t	   open;  /* clients that are under way */
	uint64_t	   started, until; /* ms */
	bool		   ending;
	int		   epoll;
	struct peer	   listener, input;
	struct peer	  *peers;
	size_t		   npeers;
	uint64_t	   done, failed, bytes;
	int		   error; /* errno of the first that failed */
};

static char chunk[CHUNK_MAX];

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void
load_watch(struct load *l, struct peer *peer, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = peer };

	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, peer->fd, &event) < 0)
		die("epoll_ctl");
}

/* --- both sides: bytes */

/* Reads all that is there and keeps none of it.  Returns false on an error. */
static bool
peer_receive(struct peer *peer, bool to_its_end)
{
	ssize_t n;

	while (!peer->eof) {
		/* TCP drops what MSG_TRUNC reads, without a copy (tcp(7)) */
		n = recv(peer->fd, chunk, sizeof(chunk), MSG_TRUNC);
		if (n < 0)
			return errno == EAGAIN;
		peer->eof = n == 0;
		peer->received += (uint64_t)n;
		if ((size_t)n < sizeof(chunk) && !to_its_end)
			break;
	}
	return true;
}

/* Sends until so many bytes have gone in all, or no more go.  Returns false on
 * an error. */
static bool
peer_send(struct peer *peer, uint64_t total)
{
	while (peer->sent < total) {
		uint64_t left = total - peer->sent;
		ssize_t n = send(peer->fd, chunk,
		    left < sizeof(chunk) ? left : sizeof(chunk), MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN;
		peer->sent += (uint64_t)n;
	}
	return true;
}

/* --- clients */

/* A connect that fails at once is found by the first event. */
static void
client_open(struct load *l, struct peer *peer)
{
	int one = 1;

	*peer = (struct peer){ .fd = socket(AF_INET,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) };
	if (peer->fd < 0)
		die("socket");
	setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	l->count--;
	l->open++;
	if (connect(peer->fd, (struct sockaddr *)&l->addr,
	    sizeof(l->addr)) < 0 && errno != EINPROGRESS)
		die("connect");
	load_watch(l, peer, l->role->events);
}

/* error: an errno, or 0 for a client that got what it wanted. */
static void
client_close(struct load *l, struct peer *peer, int error)
{
	close(peer->fd);
	peer->fd = -1;
	l->open--;
	l->bytes += peer->sent;
	if (error == 0)
		l->done++;
	else if (l->failed++ == 0)
		l->error = error;
	if (!l->ending && l->count > 0)
		client_open(l, peer);
}

static void
connections_event(struct load *l, struct peer *peer, uint32_t events)
{
	bool fine = peer_send(peer, l->size);

	if (fine && (events & ~(uint32_t)EPOLLOUT) != 0)
		fine = peer_receive(peer, (events & EPOLLRDHUP) != 0);
	if (!fine)
		client_close(l, peer, errno);
	else if (peer->received >= l->size)
		client_close(l, peer, 0);
	else if (peer->eof)
		client_close(l, peer, EPIPE);
}

/* What is in flight may finish. */
static void
connections_end(struct load *l, struct peer *peer)
{
	(void)l, (void)peer;
}

/* One call an event, so that streams take turns. */
static void
bulk_event(struct load *l, struct peer *peer, uint32_t events)
{
	ssize_t n;

	if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) {
		if (!peer_receive(peer, true))
			client_close(l, peer, errno);
		else if (peer->eof)
			client_close(l, peer, l->ending ? 0 : EPIPE);
		return;
	}
	n = send(peer->fd, chunk, l->size, MSG_NOSIGNAL);
	if (n >= 0)
		peer->sent += (uint64_t)n;
	else if (errno != EAGAIN)
		client_close(l, peer, errno);
}

/* The sink's FIN will say that all of it has arrived. */
static void
bulk_end(struct load *l, struct peer *peer)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = peer };

	shutdown(peer->fd, SHUT_WR);
	if (epoll_ctl(l->epoll, EPOLL_CTL_MOD, peer->fd, &event) < 0)
		die("epoll_ctl");
}

/* --- servers */

static void
server_close(struct peer *peer)
{
	close(peer->fd);
	free(peer);
}

static void
answer_event(struct load *l, struct peer *peer, uint32_t events)
{
	(void)l;
	if (!peer_receive(peer, (events & EPOLLRDHUP) != 0) ||
	    !peer_send(peer, peer->received) ||
	    (peer->eof && peer->sent == peer->received))
		server_close(peer);
}

static void
sink_event(struct load *l, struct peer *peer, uint32_t events)
{
	(void)l;
	if (!peer_receive(peer, (events & EPOLLRDHUP) != 0) || peer->eof)
		server_close(peer);
}

static void
server_accept(struct load *l)
{
	int one = 1;

	for (int i = 0; i < ACCEPT_MAX; i++) {
		int fd = accept4(l->listener.fd, NULL, NULL,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct peer *peer;

		if (fd < 0)
			return;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		peer = calloc(1, sizeof(*peer));
		if (peer == NULL)
			die("calloc");
		peer->fd = fd;
		load_watch(l, peer, l->role->events);
	}
}

static void
server_open(struct load *l)
{
	socklen_t len = sizeof(l->addr);
	int one = 1, fd = socket(AF_INET,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&l->addr, len) < 0 ||
	    listen(fd, 4096) < 0 ||
	    getsockname(fd, (struct sockaddr *)&l->addr, &len) < 0)
		die("listen");
	l->listener.fd = fd;
	load_watch(l, &l->listener, EPOLLIN);
	load_watch(l, &l->input, EPOLLIN);
	printf("%u\n", ntohs(l->addr.sin_port));
	fflush(stdout);
}

/* --- the loop */

static const struct role ROLES[] = {
	{ "connections", false, 64, 64,
	    EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
	    connections_event, connections_end },
	{ "bulk", false, 128 << 10, 4, EPOLLIN | EPOLLOUT, bulk_event,
	    bulk_end },
	{ "answer", true, 0, 0, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
	    answer_event, NULL },
	{ "sink", true, 0, 0, EPOLLIN | EPOLLRDHUP | EPOLLET, sink_event,
	    NULL },
};

static void
load_end(struct load *l)
{
	l->ending = true;
	l->until = now_ms() + GRACE_MS;
	for (size_t i = 0; i < l->npeers; i++)
		if (l->peers[i].fd >= 0)
			l->role->end(l, &l->peers[i]);
}

/* Returns false when all is done. */
static bool
load_goes_on(struct load *l, uint64_t now)
{
	if (l->role->serves)
		return !l->ending && now < l->until;
	if (!l->ending && (now >= l->until || (l->count == 0 && l->open == 0)))
		load_end(l);
	return l->open > 0 && now < l->until;
}

static void
load_turn(struct load *l, uint64_t now)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(l->epoll, events, EVENTS, (int)(l->until - now));

	for (int i = 0; i < n; i++) {
		struct peer *peer = events[i].data.ptr;

		if (peer == &l->listener)
			server_accept(l);
		else if (peer == &l->input)
			l->ending = true;
		else
			l->role->event(l, peer, events[i].events);
	}
}

static void
load_run(struct load *l)
{
	uint64_t now = l->started = now_ms();

	l->until += now;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->peers = calloc(l->npeers + 1, sizeof(*l->peers));
	if (l->epoll < 0 || l->peers == NULL)
		die("start");
	if (l->role->serves)
		server_open(l);
	for (size_t i = 0; i < l->npeers; i++) {
		l->peers[i].fd = -1;
		if (l->count > 0)
			client_open(l, &l->peers[i]);
	}
	for (; load_goes_on(l, now); now = now_ms())
		load_turn(l, now);
}

static void
load_report(struct load *l)
{
	/* those that the grace was too short for */
	if (l->open > 0 && l->failed == 0)
		l->error = ETIMEDOUT;
	l->failed += l->open;
	printf("{\"done\": %llu, \"failed\": %llu, \"bytes\": %llu, "
	    "\"seconds\": %.3f", (unsigned long long)l->done,
	    (unsigned long long)l->failed, (unsigned long long)l->bytes,
	    (double)(now_ms() - l->started) / 1000);
	if (l->failed > 0)
		printf(", \"error\": \"%s\"", strerror(l->error));
	printf("}\n");
}

/* --- the arguments */

static const char USAGE[] =
    "usage: load connections|bulk [-c N] [-n COUNT] [-s SIZE] [-t SECONDS] "
    "PORT\n"
    "       load answer|sink [-t SECONDS] PORT\n";

static void
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
	for (size_t i = 0; i < sizeof(ROLES) / sizeof(ROLES[0]); i++)
		if (strcmp(ROLES[i].name, name) == 0)
			return &ROLES[i];
	usage();
	return NULL;
}

static void
load_options(struct load *l, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "c:n:s:t:")) != -1) {
		if (option == 'c' && !l->role->serves)
			l->npeers = number(optarg, 1, 1000000);
		else if (option == 'n' && !l->role->serves)
			l->count = number(optarg, 1, UINT64_MAX);
		else if (option == 's' && !l->role->serves)
			l->size = number(optarg, 1, CHUNK_MAX);
		else if (option == 't')
			l->until = 1000 * number(optarg, 1, 86400);
		else
			usage();
	}
	if (optind != argc - 1)
		usage();
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

int
main(int argc, char **argv)
{
	struct load load = { .count = UINT64_MAX, .input.fd = STDIN_FILENO };

	if (argc < 2)
		usage();
	load.role = role_find(argv[1]);
	load.size = load.role->size;
	load.npeers = load.role->peers;
	load.until = load.role->serves ? 600000 : 5000;
	load_options(&load, argc - 1, argv + 1);
	raise_descriptors();
	load_run(&load);
	free(load.peers);
	if (load.role->serves)
		return 0;
	load_report(&load);
	return load.failed > 0 || load.done == 0;
}
