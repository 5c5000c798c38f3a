/* What a session leaves behind: counters, and the close record. */
#ifndef SLUICE_PROXY_RECORD_H
#define SLUICE_PROXY_RECORD_H

struct route_conf;
struct session;

/* Before anything is closed: the kernel is asked about both connections, but
 * only for a record that will be written. */
void session_record(struct session *);

/* Those of access_log_start and access_log_interval. */
void session_record_start(struct session *);
void session_record_interval(struct session *);

/* Writes which rule it was, CLOSERECORD_ROUTE bytes; NULL: "". */
void record_route(const struct route_conf *, char *text);

#endif
