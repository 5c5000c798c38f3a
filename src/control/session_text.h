/* Sessions as JSON, and as a table for people. */
#ifndef SLUICE_CONTROL_SESSION_TEXT_H
#define SLUICE_CONTROL_SESSION_TEXT_H

#include "config/config.h"
#include "json.h"
#include "proxy/visit.h"

void session_json(struct json *, const struct session_info *);

/* The table's columns are as wide as the configuration's names. */
struct session_table {
	int  listener, server; /* widths */
	bool sni;  /* some listener may hear it, */
	bool rule; /* has rules, */
	bool via;  /* or is told of clients by proxies */
};
void session_table_init(struct session_table *, const struct config *);
void session_table_head(const struct session_table *, struct evbuffer *);
void session_table_row(const struct session_table *, struct evbuffer *,
    const struct session_info *);

#endif
