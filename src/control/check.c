#include "check.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/human.h"
#include "base/str.h"
#include "net/sock.h"
#include "proto/proxyproto.h"
#include "proxy/tcp_options.h"

#define HEADER_MAX 128 /* of the PROXY protocol, without addresses */

static const struct check_kind CHECK_TCP = { 0 };

static const struct check_row {
	const char		*word;
	const struct check_kind *kind;
} KINDS[] = {
	[CHECK_OFF] = { "off", &CHECK_TCP },
	[CHECK_BY_TCP] = { "tcp", &CHECK_TCP },
	[CHECK_BY_TLS] = { "tls", &CHECK_TLS },
	[CHECK_BY_SEND_EXPECT] = { "send_expect", &CHECK_SEND_EXPECT },
	[CHECK_BY_HTTP] = { "http", &CHECK_HTTP },
};

static const struct check_kind *
check_kind(const struct check *c)
{
	return KINDS[c->conf->check].kind;
}

const char *
check_word(const struct upstream_conf *conf)
{
	return KINDS[conf->check].word;
}

/* --- what is wrong */

enum check_answer
check_bad(struct check *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c->why, sizeof(c->why), format, args);
	va_end(args);
	return CHECK_BAD;
}

enum check_answer
check_bad_error(struct check *c, int error)
{
	const char *text = strerrordesc_np(-error);

	if (sock_is_short(error))
		return CHECK_UNFIT;
	check_bad(c, "%s", text != NULL ? text : "unknown error");
	c->why[0] = (char)tolower((unsigned char)c->why[0]);
	return CHECK_BAD;
}

enum check_answer
check_bad_heard(struct check *c, const char *what)
{
	char shown[64];

	if (c->len == 0)
		return check_bad(c, "%s, and said nothing", what);
	str_escape(shown, sizeof(shown), (const char *)c->heard, c->len);
	return check_bad(c, "%s, and said '%s'", what, shown);
}

/* --- the connection */

/* Sources in turn, those of the server's family; one that lacks ports or is
 * gone goes on to the next, as it does for sessions. */
static int
check_connect(const struct check *c, const struct addr *to)
{
	const struct upstream_conf *conf = c->conf;
	bool any = conf->nsources == 0 || to->sa.sa_family == AF_UNIX;
	int fd = -EADDRNOTAVAIL;
	struct sock_tcp tcp;

	tcp_options(&conf->tcp, &tcp);
	if (any)
		return sock_connect(to, NULL, &tcp);
	for (size_t i = 0; i < conf->nsources && fd == -EADDRNOTAVAIL; i++)
		if (conf->sources[i].sa.sa_family == to->sa.sa_family)
			fd = sock_connect(to, &conf->sources[i], &tcp);
	return fd;
}

/* On nobody's behalf: LOCAL, or in version 1 UNKNOWN (the specification of the
 * PROXY protocol, sections 2.1 and 2.2). */
static size_t
check_header(const struct check *c, uint8_t *out)
{
	const struct proxyproto p = { .local = true };
	struct proxyproto_writer w;

	switch (c->conf->send_proxy) {
	case SEND_PROXY_OFF:
		break;
	case SEND_PROXY_V1:
		return proxyproto_line(&p, (char *)out);
	case SEND_PROXY_V2:
		proxyproto_begin(&w, out, HEADER_MAX, &p);
		return proxyproto_end(&w);
	}
	return 0;
}

static int
check_prepare(struct check *c)
{
	const struct check_kind *kind = check_kind(c);

	c->said = malloc(HEADER_MAX + CHECK_SAID);
	c->heard = malloc(CHECK_HEARD);
	if (c->said == NULL || c->heard == NULL)
		return -ENOMEM;
	c->say = check_header(c, c->said);
	if (kind->say != NULL)
		c->say += kind->say(c, c->said + c->say);
	return 0;
}

static enum check_answer
check_send(struct check *c)
{
	while (c->sent < c->say) {
		ssize_t n = send(c->fd, c->said + c->sent, c->say - c->sent,
		    MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN ? CHECK_WRITE :
			    check_bad_error(c, -errno);
		c->sent += (size_t)n;
	}
	return CHECK_GOOD;
}

enum check_answer
check_listen(struct check *c)
{
	ssize_t n = recv(c->fd, c->heard + c->len, CHECK_HEARD - c->len, 0);

	if (n < 0)
		return errno == EAGAIN ? CHECK_READ :
		    check_bad_error(c, -errno);
	if (n == 0)
		return check_bad_heard(c, "the server closed");
	c->len += (size_t)n;
	return CHECK_GOOD;
}

static enum check_answer
check_go_on(struct check *c)
{
	const struct check_kind *kind = check_kind(c);
	enum check_answer answer;
	int error;

	if (!c->connected) {
		error = sock_connected(c->fd);
		if (error == -ENOTCONN)
			return CHECK_WRITE;
		if (error == 0 && sock_meets_itself(c->fd)) {
			sock_reset_on_close(c->fd);
			error = -ECONNREFUSED;
		}
		if (error < 0)
			return check_bad_error(c, error);
		c->connected = true;
	}
	answer = check_send(c);
	return answer != CHECK_GOOD || kind->hear == NULL ? answer :
	    kind->hear(c);
}

static enum check_answer
check_late(struct check *c)
{
	char time[HUMAN_TEXT];

	human_duration(c->conf->check_timeout, time);
	if (!c->connected)
		return check_bad(c, "no connection within %s (check_timeout)",
		    time);
	if (c->len == 0)
		return check_bad(c, "no answer within %s (check_timeout)",
		    time);
	return check_bad_heard(c, "no good answer within check_timeout");
}

static void check_event(evutil_socket_t, short, void *);

/* The time that is left goes with the event. */
static enum check_answer
check_wait(struct check *c, enum check_answer answer)
{
	struct event_base *base = event_get_base(&c->event);
	uint64_t now = clock_ms(), left;
	struct timeval tv;

	if (now >= c->deadline)
		return check_late(c);
	left = c->deadline - now;
	tv = (struct timeval){ .tv_sec = (time_t)(left / 1000),
		.tv_usec = (suseconds_t)(left % 1000 * 1000) };
	event_assign(&c->event, base, c->fd,
	    answer == CHECK_READ ? EV_READ : EV_WRITE, check_event, c);
	return event_add(&c->event, &tv) < 0 ? CHECK_UNFIT : answer;
}

static void
check_advance(struct check *c, enum check_answer answer)
{
	if (answer == CHECK_READ || answer == CHECK_WRITE)
		answer = check_wait(c, answer);
	if (answer == CHECK_READ || answer == CHECK_WRITE)
		return;
	check_end(c);
	c->done(c, answer);
}

/* After a stop of the process the time is up before we are told what came. */
static void
check_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	check_advance(arg, check_go_on(arg));
}

static const char *
check_host(const struct server_conf *line)
{
	return line->srv ? NULL : line->host;
}

void
check_obey(struct check *c, const struct upstream_conf *conf,
    const struct server_conf *line)
{
	if (c->conf == NULL)
		return;
	c->conf = conf;
	c->host = check_host(line);
}

void
check_begin(struct check *c, struct event_base *base,
    const struct upstream_conf *conf, const struct server_conf *line,
    const struct addr *to, check_done *done)
{
	struct addr at = *to;
	int error;

	check_init(c);
	c->conf = conf;
	c->host = check_host(line);
	c->done = done;
	c->deadline = clock_ms() + conf->check_timeout;
	if (conf->check_port != 0 && at.sa.sa_family != AF_UNIX)
		addr_set_port(&at, (uint16_t)conf->check_port);
	error = check_prepare(c);
	if (error == 0)
		error = c->fd = check_connect(c, &at);
	if (error < 0) {
		check_advance(c, check_bad_error(c, error));
		return;
	}
	event_assign(&c->event, base, c->fd, EV_WRITE, check_event, c);
	check_advance(c, CHECK_WRITE);
}

void
check_init(struct check *c)
{
	*c = (struct check){ .fd = -1 };
}

void
check_end(struct check *c)
{
	if (c->conf != NULL && check_kind(c)->end != NULL)
		check_kind(c)->end(c);
	if (c->fd >= 0) {
		event_del(&c->event);
		close(c->fd);
	}
	free(c->said);
	free(c->heard);
	c->fd = -1;
	c->conf = NULL;
	c->said = c->heard = NULL;
}
