#include "holder.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TCP_LISTEN_STATE 0x0a

/* The socket's inode number of whoever listens on the port, or 0. */
static unsigned long
holder_inode(const char *table, uint16_t port)
{
	unsigned long inode, found = 0;
	unsigned local, state;
	char line[512];
	FILE *f = fopen(table, "re");

	if (f == NULL)
		return 0;
	while (found == 0 && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x "
		    "%*s %*s %*s %*s %*s %lu", &local, &state, &inode) == 3 &&
		    local == port && state == TCP_LISTEN_STATE)
			found = inode;
	fclose(f);
	return found;
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

void
holder_find(const struct addr *addr, char *text)
{
	unsigned long inode = holder_inode("/proc/net/tcp", addr_port(addr));
	struct dirent *e;
	char socket[64];
	DIR *proc;

	text[0] = '\0';
	if (inode == 0)
		inode = holder_inode("/proc/net/tcp6", addr_port(addr));
	proc = inode == 0 ? NULL : opendir("/proc");
	if (proc == NULL)
		return;
	snprintf(socket, sizeof(socket), "socket:[%lu]", inode);
	while (text[0] == '\0' && (e = readdir(proc)) != NULL)
		if (isdigit((unsigned char)e->d_name[0]) &&
		    holder_has(e->d_name, socket))
			holder_name(e->d_name, text);
	closedir(proc);
}
