#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

#define ACCEPT_MAX 64
#define EDGES	   (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

/* error: an errno, or 0 for one that came to its end. */
static void
server_close(struct load *l, struct peer *peer, int error)
{
	congestion_note(l, peer->fd);
	close(peer->fd);
	free(peer);
	l->open--;
	if (error == 0)
		l->done++;
	else if (l->failed++ == 0)
		l->error = error;
	l->wrong += error == EBADMSG;
}

/* The stream back is the same as the one that came. */
static void
answer_event(struct load *l, struct peer *peer, uint32_t events)
{
	uint64_t before = peer->in.at;

	if ((events & ~(uint32_t)EPOLLOUT) != 0 &&
	    !peer_receive(peer, l->look, events)) {
		server_close(l, peer, errno);
		return;
	}
	l->bytes += peer->in.at - before;
	if (peer->in.at >= STREAM_HEAD) {
		peer->out.phase = peer->in.phase;
		peer->goal = peer->in.at;
	}
	if (!peer_send(peer))
		server_close(l, peer, errno);
	else if (peer->eof && peer->out.at == peer->goal)
		server_close(l, peer, 0);
}

static void
sink_event(struct load *l, struct peer *peer, uint32_t events)
{
	uint64_t before = peer->in.at;
	bool fine = peer_receive(peer, l->look, events);

	l->bytes += peer->in.at - before;
	if (!fine)
		server_close(l, peer, errno);
	else if (peer->eof)
		server_close(l, peer, 0);
}

/* The client's first bytes are its wish, the next that it has enough. */
static void
source_event(struct load *l, struct peer *peer, uint32_t events)
{
	ssize_t n = 0;

	if ((events & ~(uint32_t)EPOLLOUT) != 0 &&
	    !peer_receive(peer, LOOK_AT_ALL, events)) {
		server_close(l, peer, errno);
		return;
	}
	if (peer->eof || peer->in.at >= 2ull * STREAM_HEAD) {
		server_close(l, peer, 0);
		return;
	}
	if (peer->in.at >= STREAM_HEAD && !peer->ready) {
		peer->ready = true;
		peer->out.phase = peer->in.phase;
		load_watch(l, peer, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
	} else if ((events & EPOLLOUT) != 0)
		n = peer_send_some(peer, l->size);
	if (n >= 0)
		l->bytes += (uint64_t)n;
	else if (errno != EAGAIN)
		server_close(l, peer, errno);
}

const struct role SERVERS[] = {
	{ "answer", true, 0, 0, EDGES, answer_event, NULL, NULL, NULL },
	{ "sink", true, 0, 0, EPOLLIN, sink_event, NULL, NULL, NULL },
	{ "source", true, 128 << 10, 0, EPOLLIN, source_event, NULL, NULL,
	    NULL },
	{ .name = NULL },
};

void
server_accept(struct load *l)
{
	for (int i = 0; i < ACCEPT_MAX; i++) {
		int fd = accept4(l->listener.fd, NULL, NULL,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct peer *peer;

		if (fd < 0)
			return;
		socket_prepare(l, fd);
		peer = calloc(1, sizeof(*peer));
		if (peer == NULL)
			die("calloc");
		peer->fd = fd;
		l->open++;
		load_watch(l, peer, EPOLL_CTL_ADD, l->role->events);
	}
}

void
server_open(struct load *l)
{
	socklen_t len = sizeof(l->addr);
	int one = 1, fd = socket(AF_INET,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	socket_prepare(l, fd);
	if (fd < 0 || bind(fd, (struct sockaddr *)&l->addr, len) < 0 ||
	    listen(fd, 4096) < 0 ||
	    getsockname(fd, (struct sockaddr *)&l->addr, &len) < 0)
		die("listen");
	l->listener.fd = fd;
	load_watch(l, &l->listener, EPOLL_CTL_ADD, EPOLLIN);
	load_watch(l, &l->input, EPOLL_CTL_ADD, EPOLLIN);
	printf("%u\n", ntohs(l->addr.sin_port));
	fflush(stdout);
}

/* A line of stdin asks what there was since the last, and its first letter says
 * how closely to look from now on; its end ends all. */
void
server_report(struct load *l)
{
	char line[16];

	if (read(l->input.fd, line, sizeof(line)) <= 0) {
		l->ending = true;
		return;
	}
	if (line[0] == 'a' || line[0] == 's')
		l->look = line[0] == 'a' ? LOOK_AT_ALL : LOOK_AT_SPOTS;
	printf("{\"open\": %llu, \"done\": %llu, \"failed\": %llu, "
	    "\"wrong\": %llu, \"bytes\": %llu, \"cpu\": %.6f, "
	    "\"congestion\": \"%s\"}\n", (unsigned long long)l->open,
	    (unsigned long long)l->done, (unsigned long long)l->failed,
	    (unsigned long long)l->wrong, (unsigned long long)l->bytes,
	    load_cpu() - l->cpu, l->controlled);
	fflush(stdout);
	l->done = l->failed = l->wrong = l->bytes = 0;
	l->cpu = load_cpu();
}
