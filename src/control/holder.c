#include "holder.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ports.h"

#define TCP_LISTEN_STATE 0x0a
#define NOBODY_KNOWN	 ((uid_t)-1)

/* The tables show an address as hexadecimal words of the machine's order. */
static void
holder_address(const char *hex, struct addr *addr, unsigned port)
{
	uint32_t words[4] = { 0 };
	size_t count = strlen(hex) / 8;

	for (size_t i = 0; i < count && i < 4; i++)
		sscanf(hex + i * 8, "%8" SCNx32, &words[i]);
	memset(addr, 0, sizeof(*addr));
	if (count == 1) {
		addr->in.sin_family = AF_INET;
		memcpy(&addr->in.sin_addr, words, sizeof(addr->in.sin_addr));
		addr->len = sizeof(addr->in);
	} else {
		addr->in6.sin6_family = AF_INET6;
		memcpy(&addr->in6.sin6_addr, words, sizeof(words));
		addr->len = sizeof(addr->in6);
	}
	addr_set_port(addr, (uint16_t)port);
}

/* A wildcard holds the port of every address. */
static bool
holder_blocks(const struct addr *theirs, const struct addr *ours)
{
	return addr_port(theirs) == addr_port(ours) &&
	    (addr_is_any(theirs) || addr_is_any(ours) ||
	    addr_equal(theirs, ours));
}

/* Who it is that listens there. */
struct holder {
	const struct addr  *addr;
	const struct ports *ours;  /* which do not count; or NULL */
	uid_t		    uid;   /* NOBODY_KNOWN: that is not said */
	bool		    found_ours;
};

static bool
holder_counts(struct holder *h, unsigned long inode)
{
	bool ours = h->ours != NULL && ports_have_inode(h->ours, inode);

	h->found_ours |= ours;
	return !ours;
}

/* The socket's inode number of whoever listens there, or 0.  Those that listen
 * come first in a table; the rest may be a hundred thousand, and take the kernel
 * seconds. */
static unsigned long
holder_inode(struct holder *h, const char *table)
{
	unsigned long inode, found = 0;
	unsigned port, state, uid;
	char line[512], hex[33];
	struct addr theirs;
	FILE *f = fopen(table, "re");

	if (f == NULL)
		return 0;
	while (found == 0 && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, " %*d: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x "
		    "%*s %*s %*s %u %*s %lu", hex, &port, &state, &uid,
		    &inode) != 5)
			continue;
		if (state != TCP_LISTEN_STATE)
			break;
		holder_address(hex, &theirs, port);
		if (!holder_blocks(&theirs, h->addr) ||
		    !holder_counts(h, inode))
			continue;
		found = inode;
		h->uid = uid;
	}
	fclose(f);
	return found;
}

/* Listening Unix sockets have the flag __SO_ACCEPTCON. */
#define UNIX_LISTENS 0x10000

static unsigned long
holder_unix_inode(const char *path)
{
	unsigned long inode, found = 0;
	char line[512], theirs[256];
	unsigned flags;
	FILE *f = fopen("/proc/self/net/unix", "re");

	if (f == NULL)
		return 0;
	while (found == 0 && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%*s %*s %*s %x %*s %*s %lu %255[^\n]",
		    &flags, &inode, theirs) == 3 &&
		    (flags & UNIX_LISTENS) != 0 && strcmp(theirs, path) == 0)
			found = inode;
	}
	fclose(f);
	return found;
}

static unsigned long
holder_socket(struct holder *h)
{
	unsigned long inode;

	h->uid = NOBODY_KNOWN;
	if (h->addr->sa.sa_family == AF_UNIX)
		return holder_unix_inode(h->addr->un.sun_path);
	inode = holder_inode(h, "/proc/self/net/tcp");
	return inode != 0 ? inode : holder_inode(h, "/proc/self/net/tcp6");
}

static bool
holder_has(const char *pid, const char *socket)
{
	char path[300], link[64];
	struct dirent *e;
	bool found = false;
	DIR *fds;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	fds = opendir(path);
	if (fds == NULL)
		return false;
	while (!found && (e = readdir(fds)) != NULL) {
		ssize_t n = readlinkat(dirfd(fds), e->d_name, link,
		    sizeof(link) - 1);

		link[n < 0 ? 0 : n] = '\0';
		found = strcmp(link, socket) == 0;
	}
	closedir(fds);
	return found;
}

static void
holder_name(const char *pid, char *text)
{
	char path[300], name[32] = "?";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	f = fopen(path, "re");
	if (f != NULL) {
		if (fgets(name, sizeof(name), f) != NULL)
			name[strcspn(name, "\n")] = '\0';
		fclose(f);
	}
	snprintf(text, HOLDER_TEXT, " (held by %s, pid %.20s)", name, pid);
}

/* What others run only root may look into, but the tables name the user. */
static void
holder_user(uid_t uid, char *text)
{
	const struct passwd *user = getpwuid(uid);

	if (user != NULL)
		snprintf(text, HOLDER_TEXT, " (held by a process of %.32s)",
		    user->pw_name);
	else
		snprintf(text, HOLDER_TEXT, " (held by a process of uid %u)",
		    (unsigned)uid);
}

#define LINK_TEXT 64

static void
holder_link(unsigned long inode, char *text)
{
	snprintf(text, LINK_TEXT, "socket:[%lu]", inode);
}

static void
holder_look_for(unsigned long inode, char *text)
{
	DIR *proc = opendir("/proc");
	char socket[LINK_TEXT];
	struct dirent *e;

	if (proc == NULL)
		return;
	holder_link(inode, socket);
	while (text[0] == '\0' && (e = readdir(proc)) != NULL)
		if (isdigit((unsigned char)e->d_name[0]) &&
		    holder_has(e->d_name, socket))
			holder_name(e->d_name, text);
	closedir(proc);
}

void
holder_find(const struct addr *addr, const struct ports *ours, char *text)
{
	struct holder h = { .addr = addr, .ours = ours };
	unsigned long inode = holder_socket(&h);

	text[0] = '\0';
	if (inode == 0 && h.found_ours)
		snprintf(text, HOLDER_TEXT, " (held by a socket that does not "
		    "listen)");
	if (inode == 0)
		return;
	holder_look_for(inode, text);
	if (text[0] == '\0' && h.uid != NOBODY_KNOWN)
		holder_user(h.uid, text);
}

bool
holder_is(const struct addr *addr, pid_t pid)
{
	struct holder h = { .addr = addr };
	unsigned long inode = holder_socket(&h);
	char socket[LINK_TEXT], name[24];

	if (inode == 0)
		return false;
	holder_link(inode, socket);
	snprintf(name, sizeof(name), "%ld", (long)pid);
	return holder_has(name, socket);
}
