#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "notify.h"
#include "passed.h"
#include "ports.h"

#define HEAD	   "sluice/"
#define SWEEP_MS   2000
#define PORT_TEXT  512
#define MESSAGE    (STORE_NAME + 64)

static void
store_describe(const struct port_key *key, char *text)
{
	char addr[ADDR_TEXT];

	snprintf(text, PORT_TEXT, HEAD "%s%s%s%s%s%s%s%s%s",
	    addr_text(&key->addr, addr), key->dual ? "/dual" : "",
	    key->freebind ? "/freebind" : "",
	    key->transparent ? "/transparent" : "",
	    key->mptcp ? "/mptcp" : "",
	    key->interface[0] != '\0' ? "/interface=" : "", key->interface,
	    key->listener[0] != '\0' ? "/listener=" : "", key->listener);
}

/* A name has neither colons nor anything but printable ASCII. */
bool
store_name(const struct port_key *key, char *name)
{
	char text[PORT_TEXT];
	size_t len = 0;

	store_describe(key, text);
	for (const char *c = text; *c != '\0'; c++) {
		bool plain = *c > ' ' && *c <= '~' && *c != '+' && *c != '%';

		if (len + 3 >= STORE_NAME)
			return false;
		if (*c == ':')
			name[len++] = '+';
		else if (plain)
			name[len++] = *c;
		else
			len += (size_t)sprintf(name + len, "%%%02X",
			    (unsigned char)*c);
	}
	name[len] = '\0';
	return true;
}

bool
store_is_name(const char *name)
{
	return strncmp(name, HEAD, strlen(HEAD)) == 0;
}

/* Not watched (FDPOLL=0): one that refuses clients for a while (on_no_server =
 * unlisten) would be taken for one that is done. */
int
store_keep(const struct port *port)
{
	char name[STORE_NAME], text[MESSAGE];
	int fds[NOTIFY_FDS], error = 0;
	size_t count;

	if (!store_name(&port->key, name))
		return 0;
	snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
	for (size_t i = 0; error == 0 && i < port->nsockets; i += count) {
		count = port->nsockets - i;
		if (count > NOTIFY_FDS)
			count = NOTIFY_FDS;
		for (size_t n = 0; n < count; n++)
			fds[n] = port->sockets[i + n].fd;
		error = notify_fds(text, fds, count);
	}
	return error;
}

static int
store_forget_name(const char *name)
{
	char text[MESSAGE];

	snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	return notify_fds(text, NULL, 0);
}

int
store_forget(const struct port *port)
{
	char name[STORE_NAME];

	return store_name(&port->key, name) ? store_forget_name(name) : 0;
}

/* A manager that does not hear of it keeps one where clients are refused, and do
 * not wait for nobody. */
void
store_sweep(struct passed *passed)
{
	size_t count = 0;

	for (size_t i = 0; i < passed->count; i++) {
		struct passed_socket *s = &passed->sockets[i];

		if (s->fd < 0 || s->wanted || !store_is_name(s->name))
			continue;
		store_forget_name(s->name);
		shutdown(s->fd, SHUT_RD);
		close(s->fd);
		s->fd = -1;
		count++;
	}
	if (count > 0 && notify_barrier(SWEEP_MS) < 0)
		log_warn(0, "the service manager still keeps sockets that are "
		    "not wanted any more");
}
