/* The configuration's socket options as sockets take them. */
#ifndef SLUICE_PROXY_TCP_OPTIONS_H
#define SLUICE_PROXY_TCP_OPTIONS_H

#include "config/config.h"
#include "net/sock.h"

static inline void
tcp_options(const struct tcp_conf *conf, struct sock_tcp *tcp)
{
	tcp->nodelay = conf->tcp_nodelay;
	tcp->keepalive = conf->keepalive;
	tcp->keepalive_idle = (int)(conf->keepalive_idle / 1000);
	tcp->keepalive_interval = (int)(conf->keepalive_interval / 1000);
	tcp->keepalive_count = (int)conf->keepalive_count;
	tcp->receive_buffer = (int)conf->receive_buffer;
	tcp->send_buffer = (int)conf->send_buffer;
}

#endif
