#include "sock-internal.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <unistd.h>

int
sock_set(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)) < 0)
		return -errno;
	return 0;
}

int
sock_new_of(int family, int protocol)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    protocol);

	return fd < 0 ? -errno : fd;
}

/* TCP_KEEPIDLE comes second: it starts the clock anew, from the peer's last
 * sign of life (tcp_sock_set_keepidle_locked()). */
void
sock_keep_alive(int fd, const struct sock_tcp *tcp)
{
	sock_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	sock_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, tcp->keepalive_idle);
	sock_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, tcp->keepalive_interval);
	sock_set(fd, IPPROTO_TCP, TCP_KEEPCNT, tcp->keepalive_count);
}

void
sock_set_nodelay(int fd)
{
	sock_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

void
sock_keep_urgent(int fd)
{
	sock_set(fd, SOL_SOCKET, SO_OOBINLINE, 1);
}

/* What a listener has, and what it accepts has from it. */
void
sock_set_tcp(int fd, const struct sock_tcp *tcp)
{
	if (tcp->nodelay)
		sock_set_nodelay(fd);
	if (tcp->keepalive)
		sock_keep_alive(fd, tcp);
}

/* Buffers are plain socket options, so Unix sockets have them too.  Urgent data
 * stays in line, so that its byte is neither lost nor a stop. */
void
sock_set_up(int fd, const struct addr *addr, const struct sock_tcp *tcp)
{
	if (tcp->receive_buffer > 0)
		sock_set(fd, SOL_SOCKET, SO_RCVBUF, tcp->receive_buffer);
	if (tcp->send_buffer > 0)
		sock_set(fd, SOL_SOCKET, SO_SNDBUF, tcp->send_buffer);
	if (addr->sa.sa_family != AF_UNIX)
		sock_keep_urgent(fd);
}

/* Both families' options set the same bits, but each has rights of its own. */
int
sock_set_transparent(int fd, int family)
{
	return family == AF_INET6 ?
	    sock_set(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, 1) :
	    sock_set(fd, IPPROTO_IP, IP_TRANSPARENT, 1);
}

static int
sock_bind_source(int fd, const struct addr *source)
{
	int error = sock_set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);

	if (error == 0 && bind(fd, &source->sa, source->len) < 0)
		error = -errno;
	return error;
}

static int
sock_connect_from(const struct addr *to, const struct addr *source,
    bool transparent, const struct sock_tcp *tcp)
{
	int error = 0, fd = sock_new_of(to->sa.sa_family, 0);

	if (fd < 0)
		return fd;
	sock_set_up(fd, to, tcp);
	if (transparent)
		error = sock_set_transparent(fd, to->sa.sa_family);
	if (error == 0 && source != NULL)
		error = sock_bind_source(fd, source);
	if (error == 0 && connect(fd, &to->sa, to->len) < 0 &&
	    errno != EINPROGRESS)
		error = -errno;
	if (error == 0)
		return fd;
	close(fd);
	return error;
}

int
sock_connect(const struct addr *to, const struct addr *source,
    const struct sock_tcp *tcp)
{
	return sock_connect_from(to, source, false, tcp);
}


int
sock_error(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	return -error;
}

int
sock_connected(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int error = 0, why;

	if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
		error = -errno;
	if (error == -ENOTCONN && (why = sock_error(fd)) < 0)
		error = why;
	return error;
}

bool
sock_meets_itself(int fd)
{
	struct sockaddr_storage name = { 0 };
	socklen_t len = sizeof(name);
	struct addr own, peer;

	if (getsockname(fd, (struct sockaddr *)&name, &len) < 0 ||
	    (name.ss_family != AF_INET && name.ss_family != AF_INET6))
		return false;
	addr_from_sockaddr(&own, (struct sockaddr *)&name, len);
	len = sizeof(name);
	if (getpeername(fd, (struct sockaddr *)&name, &len) < 0)
		return false;
	addr_from_sockaddr(&peer, (struct sockaddr *)&name, len);
	return addr_equal(&own, &peer);
}

bool
sock_is_short(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM ||
	    error == -ENOBUFS;
}

void
sock_local(int fd, struct peer *peer)
{
	struct sockaddr_storage name = { 0 };
	socklen_t len = sizeof(name);

	getsockname(fd, (struct sockaddr *)&name, &len);
	peer_from_sockaddr(peer, (struct sockaddr *)&name);
}

/* Whether the kernel has taken the address: for one that no host has (any, a
 * multicast, a broadcast) bind(2) says 0, and connect(2) takes ours. */
static bool
sock_is_from(int fd, const struct addr *source)
{
	struct peer asked, taken;

	peer_from_sockaddr(&asked, &source->sa);
	sock_local(fd, &taken);
	return memcmp(asked.ip, taken.ip, sizeof(asked.ip)) == 0;
}

int
sock_connect_as(const struct addr *to, const struct addr *source,
    const struct sock_tcp *tcp)
{
	int fd = sock_connect_from(to, source, true, tcp);

	if (fd < 0 || sock_is_from(fd, source))
		return fd;
	sock_reset_on_close(fd);
	close(fd);
	return -EADDRNOTAVAIL;
}

uint16_t
sock_port(int fd)
{
	struct sockaddr_storage name = { 0 };
	socklen_t len = sizeof(name);
	struct addr addr;

	if (getsockname(fd, (struct sockaddr *)&name, &len) < 0)
		return 0;
	addr_from_sockaddr(&addr, (struct sockaddr *)&name, len);
	return addr_port(&addr);
}

bool
sock_is_unix(int fd)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	return domain == AF_UNIX;
}

/* SIOCOUTQ of a Unix socket counts what the peer has not read yet, which
 * closing does not destroy. */
int
sock_unsent(int fd)
{
	int unsent = 0;

	if (sock_is_unix(fd) || ioctl(fd, SIOCOUTQ, &unsent) < 0)
		return 0;
	return unsent;
}

int
sock_queued(int fd, int most)
{
	struct tcp_info tcp = { 0 };
	socklen_t len = sizeof(tcp);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &tcp, &len) < 0)
		return most;
	return (int)tcp.tcpi_unacked;
}

void
sock_reset_on_close(int fd)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* One probe may just be on its way.  Retransmissions count while segments are
 * out and the time for an answer is over: a peer with a closed window answers
 * probes, but leaves a count of retransmissions behind. */
static bool
sock_unanswered(const struct tcp_info *tcp)
{
	return tcp->tcpi_probes > 1 || (tcp->tcpi_unacked > 0 &&
	    tcp->tcpi_retransmits > 0 &&
	    tcp->tcpi_last_ack_recv > tcp->tcpi_rto / 1000);
}

void
sock_info(int fd, struct sock_info *info)
{
	struct tcp_info tcp = { 0 };
	socklen_t len = sizeof(tcp);

	*info = (struct sock_info){ 0 };
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &tcp, &len) < 0)
		return;
	info->known = true;
	info->rtt_us = tcp.tcpi_rtt;
	info->retransmits = tcp.tcpi_total_retrans;
	info->silent_ms = tcp.tcpi_last_ack_recv;
	info->unanswered = sock_unanswered(&tcp);
}
