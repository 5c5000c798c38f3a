/* An attempt to connect: from which address, to which. */
#include <errno.h>

#include "net/sock.h"
#include "proxy/tcp_options.h"
#include "race-internal.h"

static int
race_connect_as_client(const struct session *s, const struct addr *to,
    const struct sock_tcp *tcp)
{
	struct addr from;

	if (s->peer.family != to->sa.sa_family)
		return -EAFNOSUPPORT;
	peer_addr(&s->peer, &from);
	addr_set_port(&from, 0);
	return sock_connect_as(to, &from, tcp);
}

/* Elsewhere it would need a source of the server's own address: so only the
 * loopback is asked.  (Its end must be a reset: the port is that of the server,
 * which could not listen on it while the connection lingers.) */
bool
race_meets_itself(const struct session *s)
{
	return addr_is_loopback(&s->server->addr) &&
	    sock_meets_itself(s->upstream.fd);
}

/* Sources of the server's family in turn; EADDRNOTAVAIL (gone, or out of
 * ports) goes on to the next. */
int
race_connect(struct session *s, const struct addr *to)
{
	const struct upstream_conf *conf = race_conf(s);
	struct sock_tcp tcp;
	int fd = -EADDRNOTAVAIL;

	tcp_options(&conf->tcp, &tcp);
	if (conf->source_client && to->sa.sa_family != AF_UNIX)
		return race_connect_as_client(s, to, &tcp);
	if (conf->nsources == 0 || to->sa.sa_family == AF_UNIX)
		return sock_connect(to, NULL, &tcp);
	for (size_t i = 0; i < conf->nsources && fd == -EADDRNOTAVAIL; i++) {
		const struct addr *from;

		from = &conf->sources[s->race->source++ % conf->nsources];
		if (from->sa.sa_family == to->sa.sa_family)
			fd = sock_connect(to, from, &tcp);
	}
	return fd;
}
