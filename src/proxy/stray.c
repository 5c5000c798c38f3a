#include "stray.h"

#include <stdio.h>
#include <string.h>

#include "early.h"
#include "proto/sniff.h"
#include "session.h"

/* What became of one that might have been read. */
static void
stray_tell(const struct session *s, char *note)
{
	const struct listener_conf *l = s->listener;
	char ip[ADDR_TEXT];

	if (l->accept_proxy == ACCEPT_PROXY_OFF)
		snprintf(note, EARLY_NOTE, "a PROXY header was passed on, where "
		    "none was expected; accept_proxy = require reads it");
	else if (l->proxy_map != NULL && prefix_map_find(l->proxy_map,
	    early_socket(s)) == PREFIX_MAP_NONE)
		snprintf(note, EARLY_NOTE, "a PROXY header from %s, who is not "
		    "in accept_proxy_from, was passed on",
		    peer_ip_text(early_socket(s), ip));
	else
		snprintf(note, EARLY_NOTE, "a PROXY header was passed on, since "
		    "it came %s", early_via(s) != NULL ? "behind another one" :
		    "too late or behind another one");
}

/* Without memory the session goes on, and its record tells less. */
void
stray_look(struct session *s, const uint8_t *data, size_t len)
{
	const struct sniff *sniff;
	char note[EARLY_NOTE];

	if (data[0] != 'P' && data[0] != '\r')
		return;
	sniff = sniff_bytes(data, len);
	if (strcmp(sniff->protocol, "proxy") != 0 || early_of(s) == NULL ||
	    s->early->note != NULL)
		return;
	stray_tell(s, note);
	s->early->protocol = sniff->protocol;
	s->early->note = strdup(note);
}
