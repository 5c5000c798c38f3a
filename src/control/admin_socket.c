#include "admin_socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "config/option.h"
#include "holder.h"
#include "net/sock.h"

#define BACKLOG	  256
#define PATH_TEXT 256 /* longer than any that fits an address */

/* Who watches events may be gone for hours before there is one to send. */
static const struct sock_tcp TCP_OPTIONS = { .nodelay = true,
	.keepalive = true, .keepalive_idle = 60, .keepalive_interval = 15,
	.keepalive_count = 4 };
static const struct sock_listen LISTEN_OPTIONS = { .tcp = &TCP_OPTIONS,
	.backlog = BACKLOG };

/* Says that what the option 'key' names cannot be had. */
static int
sockets_fail(const struct config *config, const char *key, const char *what,
    const struct addr *addr, int error)
{
	char holder[HOLDER_TEXT] = "", place[CONFIG_PLACE];

	if (error == -EADDRINUSE)
		holder_find(addr, NULL, holder);
	log_error(error, "%s: %s: cannot serve on %s%s", config_place(config,
	    config_global_origin(config, key), place), key, what, holder);
	return error;
}

static int
sockets_open_tcp(struct admin_sockets *s, const struct config *config)
{
	s->tcp_at = config->global.admin_addr;
	if (s->tcp_at.len == 0)
		return 0;
	s->tcp_fd = sock_listen(&s->tcp_at, &LISTEN_OPTIONS);
	if (s->tcp_fd < 0)
		return sockets_fail(config, "admin", config->global.admin,
		    &s->tcp_at, s->tcp_fd);
	addr_set_port(&s->tcp_at, sock_port(s->tcp_fd));
	return 0;
}

/* Whether it is in use by whom it may be in use. */
static bool
sockets_are_of(const struct addr *addr, pid_t daemon, int error)
{
	return error == -EADDRINUSE && daemon != 0 && holder_is(addr, daemon);
}

static int
sockets_try_tcp(const struct config *config, pid_t daemon)
{
	const struct addr *addr = &config->global.admin_addr;
	int error = addr->len == 0 ? 0 : sock_probe(addr, &LISTEN_OPTIONS);

	return error == 0 || sockets_are_of(addr, daemon, error) ? 0 :
	    sockets_fail(config, "admin", config->global.admin, addr, error);
}

/* --- the Unix socket */

/* systemd makes a folder for a service that is not root (RuntimeDirectory=,
 * systemd.exec(5)) and names it, before others behind a colon. */
static const char *
auto_folder(void)
{
	const char *folder;

	if (geteuid() == 0)
		return ADMIN_SOCKET_DIR;
	folder = getenv("RUNTIME_DIRECTORY");
	if (folder == NULL || *folder != '/')
		folder = getenv("XDG_RUNTIME_DIR");
	return folder != NULL && *folder == '/' ? folder : NULL;
}

bool
admin_socket_auto(char *path, size_t size)
{
	const char *folder = auto_folder();

	if (folder == NULL)
		return false;
	snprintf(path, size, "%.*s/" ADMIN_SOCKET_FILE,
	    (int)strcspn(folder, ":"), folder);
	return true;
}

/* The daemon's user removes its socket at the end, so the folder is his.  One
 * that is there stays as somebody wanted it. */
static int
unix_make_folder(const struct identity *id)
{
	if (mkdir(ADMIN_SOCKET_DIR, 0755) < 0)
		return errno == EEXIST ? 0 : -errno;
	return lchown(ADMIN_SOCKET_DIR, id->uid, id->gid) < 0 ? -errno : 0;
}

static int
unix_group(const struct config *config, const struct identity *id, gid_t *gid)
{
	const char *name = config->global.admin_group;
	char place[CONFIG_PLACE], why[IDENTITY_WHY];
	int error;

	*gid = id->gid;
	if (name == NULL)
		return 0;
	error = identity_find_group(name, gid);
	if (error < 0)
		log_error(0, "%s: %s", config_place(config,
		    config_global_origin(config, "admin_group"), place),
		    identity_why("admin_group", name, error, why));
	return error;
}

/* It listens from the first moment, since a path that does not looks stale to
 * another daemon; so nobody else may come in from the first moment either. */
static int
unix_listen(const struct addr *addr)
{
	int error = sock_unlink_stale(addr), fd;
	mode_t mask;

	if (error < 0)
		return error;
	mask = umask(0117);
	fd = sock_listen(addr, &LISTEN_OPTIONS);
	umask(mask);
	return fd;
}

/* Not chown(2): in a folder of the daemon's user it may be a link by now. */
static int
unix_give(const char *path, const struct stat *st, const struct identity *id,
    gid_t gid)
{
	int error;

	if ((st->st_uid == id->uid && st->st_gid == gid) ||
	    lchown(path, id->uid, gid) == 0)
		return 0;
	error = -errno;
	if (error == -EPERM && st->st_gid != gid)
		log_warn(0, "admin_group: uid %u is no member of it, and cannot "
		    "give it the socket", (unsigned)id->uid);
	return error;
}

static int
unix_open(struct admin_sockets *s, const struct identity *id, gid_t gid)
{
	const char *path = s->unix_at.un.sun_path;
	struct stat st;

	s->unix_fd = unix_listen(&s->unix_at);
	if (s->unix_fd < 0)
		return s->unix_fd;
	if (lstat(path, &st) < 0)
		return -errno;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return unix_give(path, &st, id, gid);
}

static void
unix_close(struct admin_sockets *s)
{
	const char *path = s->unix_at.un.sun_path;
	struct stat st;

	if (s->unix_fd < 0)
		return;
	if (lstat(path, &st) == 0 && st.st_dev == s->dev &&
	    st.st_ino == s->ino)
		unlink(path);
	close(s->unix_fd);
	s->unix_fd = -1;
}

/* Nobody asked for it by name: the daemon runs all the same. */
static int
sockets_open_auto(struct admin_sockets *s, const struct identity *id,
    gid_t gid)
{
	char path[PATH_TEXT], holder[HOLDER_TEXT] = "";
	int error;

	if (!admin_socket_auto(path, sizeof(path))) {
		log_info("admin_socket: none, since XDG_RUNTIME_DIR is not "
		    "set; name one for 'sluice ctl'");
		return 0;
	}
	error = geteuid() == 0 ? unix_make_folder(id) : 0;
	if (error == 0)
		error = addr_from_path(&s->unix_at, path);
	if (error == 0)
		error = unix_open(s, id, gid);
	if (error == -EADDRINUSE)
		holder_find(&s->unix_at, NULL, holder);
	if (error < 0) {
		log_warn(error, "admin_socket: none, cannot serve on %s%s",
		    path, holder);
		unix_close(s);
	}
	return 0;
}

static int
sockets_open_named(struct admin_sockets *s, const struct config *config,
    const struct identity *id, gid_t gid)
{
	const char *path = config->global.admin_socket;
	int error = addr_from_path(&s->unix_at, path);

	if (error == 0)
		error = unix_open(s, id, gid);
	return error == 0 ? 0 : sockets_fail(config, "admin_socket", path,
	    &s->unix_at, error);
}

static int
sockets_open_unix(struct admin_sockets *s, const struct config *config,
    const struct identity *id)
{
	const char *path = config->global.admin_socket;
	gid_t gid;
	int error;

	if (path == NULL)
		return 0;
	error = unix_group(config, id, &gid);
	if (error < 0)
		return error;
	return strcmp(path, "auto") == 0 ? sockets_open_auto(s, id, gid) :
	    sockets_open_named(s, config, id, gid);
}

static int
sockets_try_unix(const struct config *config, const struct identity *id,
    pid_t daemon)
{
	const char *path = config->global.admin_socket;
	struct addr addr;
	gid_t gid;
	int error;

	if (path == NULL || unix_group(config, id, &gid) < 0)
		return path == NULL ? 0 : -ENOENT;
	if (strcmp(path, "auto") == 0)
		return 0;
	error = addr_from_path(&addr, path);
	if (error == 0)
		error = sock_probe_unix(&addr);
	return error == 0 || sockets_are_of(&addr, daemon, error) ? 0 :
	    sockets_fail(config, "admin_socket", path, &addr, error);
}

int
admin_sockets_try(const struct config *config, const struct identity *id,
    pid_t daemon)
{
	int tcp = sockets_try_tcp(config, daemon);
	int local = sockets_try_unix(config, id, daemon);

	return tcp < 0 ? tcp : local;
}

int
admin_sockets_open(struct admin_sockets *s, const struct config *config,
    const struct identity *id)
{
	int error;

	*s = (struct admin_sockets){ .tcp_fd = -1, .unix_fd = -1 };
	error = sockets_open_tcp(s, config);
	if (error == 0)
		error = sockets_open_unix(s, config, id);
	if (error < 0)
		admin_sockets_close(s);
	return error;
}

void
admin_sockets_close(struct admin_sockets *s)
{
	unix_close(s);
	if (s->tcp_fd >= 0)
		close(s->tcp_fd);
	s->tcp_fd = -1;
}
