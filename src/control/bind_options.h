/* What a listener's options ask of its sockets. */
#ifndef SLUICE_CONTROL_BIND_OPTIONS_H
#define SLUICE_CONTROL_BIND_OPTIONS_H

#include "config/config.h"
#include "net/sock.h"

struct bind_options {
	struct sock_tcp	   tcp;
	struct sock_owner  owner;
	struct sock_listen listen; /* all but 'dual' and 'reuseport' */
};

/* Looks up accounts, and what the kernel has.  0, or -errno after it was
 * logged: there is no such account. */
int bind_options_init(struct bind_options *, const struct config *,
    const struct listener_conf *);

/* What decides whether an address can be bound, alone. */
void bind_options_plain(struct bind_options *, const struct listener_conf *);

/* What a listener's options have to do with an error of binding, as words to
 * stand behind the address ("" if nothing); BIND_WHY bytes. */
#define BIND_WHY 128
const char *bind_options_why(const struct listener_conf *, const struct addr *,
    int error, char *text);

/* source = client needs a right to begin with.  0, or -errno after it was
 * logged. */
int bind_options_check_sources(const struct config *);

#endif
