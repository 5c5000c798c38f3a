#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "load.h"

/* Cells of four bytes, whose number is found again in their value since the
 * factor is odd.  A prime number of them. */
#define CELLS	16381u
#define PERIOD	(CELLS * STREAM_HEAD)
#define FACTOR	2654435761u
#define INVERSE 244002641u

#define CALLS	   4 /* at a time, so that streams take turns */
#define SPOT	   4096
#define SPOT_EVERY (1 << 20)

static unsigned char pattern[PERIOD + CHUNK_MAX], scratch[CHUNK_MAX];

void
stream_init(void)
{
	for (size_t i = 0; i < sizeof(pattern) / STREAM_HEAD; i++) {
		uint32_t cell = (uint32_t)(i % CELLS) * FACTOR;

		memcpy(pattern + i * STREAM_HEAD, &cell, STREAM_HEAD);
	}
}

static const unsigned char *
stream_bytes(const struct stream *s)
{
	return pattern + (s->phase + s->at) % PERIOD;
}

void
stream_begin(struct stream *s, uint64_t number)
{
	/* neighbours are far from each other */
	*s = (struct stream){
		.phase = (uint32_t)(number * 7919 % CELLS) * STREAM_HEAD };
}

ssize_t
peer_send_some(struct peer *peer, size_t most)
{
	ssize_t n = send(peer->fd, stream_bytes(&peer->out),
	    most < CHUNK_MAX ? most : CHUNK_MAX, MSG_NOSIGNAL);

	if (n > 0)
		peer->out.at += (uint64_t)n;
	return n;
}

bool
peer_send(struct peer *peer)
{
	while (peer->out.at < peer->goal)
		if (peer_send_some(peer, peer->goal - peer->out.at) < 0)
			return errno == EAGAIN;
	return true;
}

/* The first bytes say where it begins.  Returns false if it is nowhere. */
static bool
stream_learn(struct stream *s, unsigned char byte)
{
	uint32_t cell;

	s->phase = (s->at == 0 ? 0 : s->phase) | (uint32_t)byte << 8 * s->at;
	if (++s->at < STREAM_HEAD)
		return true;
	cell = s->phase * INVERSE;
	s->phase = cell % CELLS * STREAM_HEAD;
	return cell < CELLS;
}

static bool
stream_check(struct stream *s, const unsigned char *bytes, size_t n)
{
	for (; n > 0 && s->at < STREAM_HEAD; bytes++, n--)
		if (!stream_learn(s, *bytes))
			return false;
	if (memcmp(bytes, stream_bytes(s), n) != 0)
		return false;
	s->at += n;
	return true;
}

bool
peer_receive(struct peer *peer, enum look look, uint32_t events)
{
	bool to_its_end = (events & EPOLLRDHUP) != 0;

	for (int i = 0; !peer->eof && (to_its_end || i < CALLS); i++) {
		size_t room = sizeof(scratch), past = peer->in.at % SPOT_EVERY;
		bool all = look == LOOK_AT_ALL || past < SPOT;
		ssize_t n;

		if (look == LOOK_AT_SPOTS)
			room = (all ? SPOT : SPOT_EVERY) - past;
		/* TCP drops what MSG_TRUNC reads, without a copy (tcp(7)) */
		n = recv(peer->fd, scratch, room, all ? 0 : MSG_TRUNC);
		if (n < 0)
			return errno == EAGAIN;
		peer->eof = n == 0;
		if (!all)
			peer->in.at += (uint64_t)n;
		else if (!stream_check(&peer->in, scratch, (size_t)n)) {
			errno = EBADMSG;
			return false;
		}
		if ((size_t)n < room && all && !to_its_end)
			break;
	}
	return true;
}
