#include "client_http.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/addr.h"

#define ANSWER_MS  15000 /* of silence, and the daemon is stuck */
#define HEAD_BYTES 8192
#define NAME_TEXT  64

/* What of the body comes next.  Without a length or chunks it goes on to the
 * end of the connection, and nobody knows whether that was all. */
enum body { BODY_CHUNK_SIZE, BODY_CHUNK, BODY_CHUNK_END, BODY_LENGTH,
	BODY_OPEN, BODY_COMPLETE };

struct answer {
	int	    fd;
	bool	    endless, json;
	sigset_t    mask; /* while waiting: what interrupts an endless one */
	char	    buf[16384];
	size_t	    len;   /* in 'buf' */
	size_t	    used;  /* of these */
	int	    status;
	enum body   body;
	size_t	    left; /* of the chunk or the body */
	FILE	   *out;
};

static volatile sig_atomic_t interrupted;

void
client_say(const char *format, ...)
{
	va_list args;

	fputs("sluice ctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/* --- the connection */

static const char *
owner_text(const struct stat *st, char *text)
{
	const struct passwd *user = getpwuid(st->st_uid);
	char uid[24], gid[24];
	const struct group *group = getgrgid(st->st_gid);

	snprintf(uid, sizeof(uid), "%u", (unsigned)st->st_uid);
	snprintf(gid, sizeof(gid), "%u", (unsigned)st->st_gid);
	snprintf(text, NAME_TEXT, "%s:%s", user != NULL ? user->pw_name : uid,
	    group != NULL ? group->gr_name : gid);
	return text;
}

static void
say_forbidden(const char *path)
{
	char owner[NAME_TEXT];
	struct stat st;

	if (stat(path, &st) < 0)
		client_say("no permission to look for %s; you are uid %u", path,
		    (unsigned)geteuid());
	else
		client_say("no permission: %s belongs to %s, you are uid %u "
		    "(admin_group names a group that may)", path,
		    owner_text(&st, owner), (unsigned)geteuid());
}

static void
say_unreachable(const char *path, int error)
{
	struct stat st;

	if (error == EACCES)
		say_forbidden(path);
	else if (stat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		client_say("%s is not a socket", path);
	else if (error == ENOENT || error == ECONNREFUSED)
		client_say("cannot reach the daemon at %s: %s; is it running? "
		    "(the admin_socket of -c FILE, or --socket PATH, say "
		    "where)", path,
		    strerror(error));
	else
		client_say("cannot reach the daemon at %s: %s", path,
		    strerror(error));
}

/* Waits while the daemon's queue is full. */
static int
client_dial(const char *path)
{
	struct addr addr;
	int fd, error = addr_from_path(&addr, path);

	if (error < 0) {
		say_unreachable(path, -error);
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, &addr.sa, addr.len) == 0)
		return fd;
	say_unreachable(path, errno);
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool
client_ask(int fd, const struct client_request *r)
{
	char *text;
	int len = asprintf(&text, "%s %s HTTP/1.1\r\nHost: sluice\r\n"
	    "Connection: close\r\n\r\n", r->method, r->target);
	bool sent = len > 0 &&
	    send(fd, text, (size_t)len, MSG_NOSIGNAL) == len;

	if (len > 0)
		free(text);
	return sent;
}

/* --- reading */

static void
client_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

/* From here on these signals come only while we wait. */
static void
answer_catch_signals(struct answer *a)
{
	struct sigaction action = { .sa_handler = client_interrupt };
	sigset_t block;

	sigemptyset(&block);
	if (a->endless) {
		sigaddset(&block, SIGINT);
		sigaddset(&block, SIGTERM);
		sigaction(SIGINT, &action, NULL);
		sigaction(SIGTERM, &action, NULL);
	}
	sigprocmask(SIG_BLOCK, &block, &a->mask);
}

/* The next bytes: 1, 0 at the end, or -errno. */
static int
answer_read(struct answer *a)
{
	const struct timespec patience = { .tv_sec = ANSWER_MS / 1000 };
	struct pollfd fd = { a->fd, POLLIN, 0 };
	ssize_t n;
	int ready;

	ready = ppoll(&fd, 1, a->endless && a->status != 0 ? NULL : &patience,
	    &a->mask);
	if (ready <= 0)
		return ready < 0 ? -errno : -ETIMEDOUT;
	if (a->used == a->len)
		a->used = a->len = 0;
	n = recv(a->fd, a->buf + a->len, sizeof(a->buf) - a->len, 0);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	a->len += (size_t)n;
	return 1;
}

/* A line without its end, terminated, or NULL: it is not all there yet. */
static char *
answer_line(struct answer *a)
{
	char *line = a->buf + a->used;
	char *end = memchr(line, '\n', a->len - a->used);

	if (end == NULL)
		return NULL;
	a->used = (size_t)(end + 1 - a->buf);
	if (end > line && end[-1] == '\r')
		end--;
	*end = '\0';
	return line;
}

static void
answer_header(struct answer *a, const char *line)
{
	if (strncasecmp(line, "Transfer-Encoding: chunked", 26) == 0) {
		a->body = BODY_CHUNK_SIZE;
	} else if (strncasecmp(line, "Content-Length: ", 16) == 0 &&
	    a->body != BODY_CHUNK_SIZE) {
		a->body = BODY_LENGTH;
		a->left = strtoul(line + 16, NULL, 10);
	}
}

/* 1 once the head is read, 0: more is needed, -EPROTO: that is no HTTP. */
static int
answer_head(struct answer *a)
{
	char *line;

	while ((line = answer_line(a)) != NULL) {
		if (a->status == 0) {
			if (sscanf(line, "HTTP/%*u.%*u %d", &a->status) != 1)
				return -EPROTO;
		} else if (*line != '\0') {
			answer_header(a, line);
		} else {
			a->out = a->status / 100 == 2 ? stdout : stderr;
			return 1;
		}
	}
	return a->len - a->used > HEAD_BYTES ? -EPROTO : 0;
}

static void
answer_write(struct answer *a, size_t most)
{
	size_t n = a->len - a->used;

	n = n < most ? n : most;
	fwrite(a->buf + a->used, 1, n, a->out);
	a->used += n;
	if (a->body != BODY_OPEN)
		a->left -= n;
}

/* A line of the frame around the chunks. */
static int
answer_frame(struct answer *a)
{
	char *line = answer_line(a), *end;

	if (line == NULL)
		return a->len - a->used > HEAD_BYTES ? -EPROTO : 0;
	if (a->body == BODY_CHUNK_END) {
		a->body = BODY_CHUNK_SIZE;
		return *line == '\0' ? 1 : -EPROTO;
	}
	a->left = strtoul(line, &end, 16);
	if (end == line)
		return -EPROTO;
	a->body = a->left == 0 ? BODY_COMPLETE : BODY_CHUNK;
	return 1;
}

/* Takes what is there; 1: it has got on, 0: more is needed, -EPROTO. */
static int
answer_body(struct answer *a)
{
	if (a->body == BODY_CHUNK_SIZE || a->body == BODY_CHUNK_END)
		return answer_frame(a);
	if (a->left == 0 && a->body != BODY_OPEN) {
		a->body = a->body == BODY_CHUNK ? BODY_CHUNK_END :
		    BODY_COMPLETE;
		return 1;
	}
	if (a->used == a->len)
		return 0;
	answer_write(a, a->body == BODY_OPEN ? sizeof(a->buf) : a->left);
	return 1;
}

/* --- the whole */

static int
answer_lost(const struct answer *a, int error)
{
	if (a->endless && interrupted)
		return EXIT_FINE;
	fflush(stdout);
	if (error == -ETIMEDOUT)
		client_say("the daemon does not answer");
	else if (error == -EPROTO)
		client_say("what answers is no sluice");
	else if (a->out == NULL)
		client_say("the daemon went away without an answer");
	else
		client_say("the daemon went away in the middle of its answer");
	return EXIT_LOST;
}

/* Somebody watches: what is there is shown before we wait. */
static int
answer_more(struct answer *a)
{
	fflush(a->out != NULL ? a->out : stdout);
	if (a->len == sizeof(a->buf)) {
		memmove(a->buf, a->buf + a->used, a->len - a->used);
		a->len -= a->used;
		a->used = 0;
	}
	return answer_read(a);
}

static int
answer_receive(struct answer *a)
{
	int step, got = 1;

	while ((step = answer_head(a)) == 0 && got > 0)
		got = answer_more(a);
	if (step != 1)
		return answer_lost(a, step < 0 ? step : got);
	if (a->out == stderr && !a->json)
		fputs("sluice ctl: ", stderr);
	while (got > 0 && step >= 0 && a->body != BODY_COMPLETE &&
	    !ferror(stdout))
		if ((step = answer_body(a)) == 0)
			got = answer_more(a);
	if (step < 0 || got < 0 || (got == 0 && a->body != BODY_OPEN))
		return answer_lost(a, step < 0 ? step : got);
	if (a->status == 202)
		return EXIT_DIFFERS;
	return a->status == 200 ? EXIT_FINE : EXIT_REFUSED;
}

int
client_request(const struct client_request *r)
{
	struct answer a = { .endless = r->endless, .json = r->json,
		.body = BODY_OPEN };
	int code;

	a.fd = client_dial(r->path);
	if (a.fd < 0)
		return EXIT_LOST;
	/* Whoever reads our output may stop: then so do we, quietly. */
	signal(SIGPIPE, SIG_DFL);
	answer_catch_signals(&a);
	if (client_ask(a.fd, r)) {
		code = answer_receive(&a);
	} else {
		client_say("the daemon went away without an answer");
		code = EXIT_LOST;
	}
	close(a.fd);
	return code;
}
