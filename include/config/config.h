/* What proxy.ini says, as values.
 *
 * A config is built by the main thread (config_load), frozen, and then shared
 * by every thread as `const` through a snapshot.  All durations are in ms, all
 * sizes in bytes; 0 means "off" or "no limit" where the option allows it. */
#ifndef SLUICE_CONFIG_CONFIG_H
#define SLUICE_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/addr.h"
#include "base/log.h"
#include "base/prefix_map.h"
#include "config/route.h"

/* Where a value came from, for -T and for messages. */
enum origin_kind {
	ORIGIN_DEFAULT,	 /* the option table */
	ORIGIN_DEFAULTS, /* a line in [defaults] */
	ORIGIN_LINE,	 /* a line of its own section */
	ORIGIN_SET,	 /* --set */
	ORIGIN_LISTEN,	 /* -L */
};

struct origin {
	enum origin_kind kind : 8;
	unsigned	 file : 24; /* LINE and DEFAULTS: in config.files */
	unsigned	 line;	    /* LINE and DEFAULTS: of the file, from 1 */
};

enum log_to {
	LOG_TO_NOWHERE, /* access_log = off */
	LOG_TO_LOG,	/* access_log = on: where 'log' goes */
	LOG_TO_STDERR,
	LOG_TO_SYSLOG,
	LOG_TO_FILE,
};

struct log_target {
	enum log_to to;
	char	   *path; /* FILE: absolute */
};

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Socket options that both sides have. */
struct tcp_conf {
	bool	 keepalive;
	uint64_t keepalive_idle;
	uint64_t keepalive_interval;
	uint64_t keepalive_count;
	bool	 tcp_nodelay;
	uint64_t receive_buffer; /* 0: the kernel tunes it */
	uint64_t send_buffer;
};

struct bind_conf {
	char	     *text;	/* as written */
	const char   *passed;	/* the name by which systemd passes it, and then
				   there is no address; else NULL */
	struct addr   addr;	/* of the first port */
	unsigned      ports;	/* 1; a range has more, 1024 at most */
	bool	      dual;	/* ":PORT": all addresses of both families */
	const char   *interface; /* its listener's, or NULL */
	struct origin origin;
};

struct server_conf {
	char	     *name;	/* of name=, else "host:port" as written */
	char	     *host;	/* a name to resolve, or NULL: 'addr' holds */
	bool	      srv;	/* SRV records of 'host' say which servers */
	uint16_t      port;	/* 0: those say it */
	struct addr   addr;	/* numeric or Unix */
	uint64_t      weight;	/* 1 to 1000 */
	uint64_t      max_sessions; /* 0: server_max_sessions */
	bool	      backup;
	struct origin origin;
};

/* Whether its name is that of name=, which has no colon. */
static inline bool
server_conf_is_named(const struct server_conf *server)
{
	return strchr(server->name, ':') == NULL;
}

/* Whether a server is told who the client is, by the PROXY protocol. */
enum send_proxy { SEND_PROXY_OFF, SEND_PROXY_V1, SEND_PROXY_V2 };

/* Which of the servers a session goes to: see proxy/balance.h. */
enum balance_kind {
	BALANCE_ROUND_ROBIN,
	BALANCE_LEAST_SESSIONS,
	BALANCE_RANDOM_TWO,
	BALANCE_HASH,
	BALANCE_FIRST,
};
#define BALANCE_KINDS (BALANCE_FIRST + 1)

/* As it is written: "round_robin". */
const char *balance_text(enum balance_kind);

/* Of what BALANCE_HASH is the hash. */
enum hash_key { HASH_KEY_CLIENT, HASH_KEY_SNI };

/* How servers are checked while no session asks them. */
enum check_by {
	CHECK_OFF,
	CHECK_BY_TCP,	      /* they accept */
	CHECK_BY_TLS,	      /* and shake hands */
	CHECK_BY_SEND_EXPECT, /* and answer */
	CHECK_BY_HTTP,	      /* that they have a page */
};

/* What becomes of the sessions of a server that goes down. */
enum on_down { ON_DOWN_KEEP, ON_DOWN_DRAIN, ON_DOWN_KILL };

/* Any bytes. */
struct bytes_conf {
	char	*text; /* as written; NULL: not given */
	uint8_t *data;
	size_t	 len;
};

/* What becomes of new sessions while no server is up. */
enum absence { ABSENCE_REFUSE, ABSENCE_HOLD, ABSENCE_UNLISTEN };
struct absence_conf {
	enum absence how;
	uint64_t     hold; /* ms; 0 but for ABSENCE_HOLD */
};

struct upstream_conf {
	char		   *name;
	size_t		    index; /* its place: config/places.h */
	struct origin	    origin;
	struct server_conf *servers;
	size_t		    nservers;
	char		   *host; /* the short form: host + port */
	uint64_t	    port;
	struct addr	   *sources;
	size_t		    nsources;
	bool		    source_client; /* the client's address, not ours */
	uint64_t	    connect_timeout;
	uint64_t	    connect_attempts;
	uint64_t	    dns_ttl_min;
	uint64_t	    dns_ttl_max;
	enum send_proxy	    send_proxy;
	enum check_by	    check;
	uint64_t	    check_interval;
	uint64_t	    check_timeout;
	uint64_t	    check_rise; /* answers in a row, as is the next */
	uint64_t	    check_fall;
	uint64_t	    check_port; /* 0: the server's own */
	struct bytes_conf   check_send;
	struct bytes_conf   check_expect;
	uint64_t	    eject_after; /* failures in a row; 0: off */
	uint64_t	    eject_time;
	uint64_t	    eject_max_percent;
	enum on_down	    on_down;
	enum balance_kind   balance;
	enum hash_key	    hash_key;
	uint64_t	    slow_start; /* 0: off */
	uint64_t	    server_max_sessions; /* 0: no limit */
	uint64_t	    queue;	/* of sessions; 0: off */
	uint64_t	    queue_timeout;
	struct absence_conf absence;
	struct tcp_conf	    tcp;
	struct origin	   *origins; /* one for each row of the table */
};

/* So many in a time, and as many at once. */
struct rate_limit {
	uint64_t count; /* 0: no limit */
	uint64_t per;	/* ms */
};

/* A line of allow or deny. */
struct access_rule {
	bool	      allow;
	char	     *text;   /* as written: "10.0.0.0/8", "file:blocked" */
	char	     *path;   /* of the list behind "file:", or NULL */
	struct prefix prefix; /* of anything else */
	struct origin origin;
	char	     *place;  /* that, in words: config_place() */
};

/* A range of addresses of a rule. */
struct access_range {
	uint32_t rule; /* in access_conf.rules */
	uint32_t line; /* of the rule's file, or 0 */
};

/* Who may come in: the first range that has the client says it. */
struct access_conf {
	struct access_rule	  *rules; /* allow and deny, as they stand */
	size_t			   nrules;
	bool			   rest;   /* no range: may come in */
	const struct access_range *ranges; /* in the order of the rules */
	size_t			   nranges;
	uint64_t		   digest; /* of them; equal: the same */
	const struct prefix_map	  *map; /* to places in ranges; NULL: no rules */
};

/* How a client is told that it may not come in. */
enum deny_action { DENY_RESET, DENY_CLOSE, DENY_DROP };

/* Whether clients say by the PROXY protocol who they speak for: none does, each
 * has to, or some do. */
enum accept_proxy {
	ACCEPT_PROXY_OFF,
	ACCEPT_PROXY_REQUIRE,
	ACCEPT_PROXY_OPTIONAL,
};

/* Who is believed that. */
struct proxy_conf {
	char	     *text; /* as written */
	struct prefix prefix;
	struct origin origin;
};

/* A rule: clients that match it go to its upstream. */
struct route_conf {
	enum route_kind		    kind;
	char			   *text; /* SNI: in lower case; ALPN, CLIENT:
					     as written */
	struct prefix		    prefix; /* CLIENT */
	char			   *upstream_name;
	const struct upstream_conf *upstream; /* never NULL once checked */
	struct origin		    origin;
};

/* Of a Unix socket's path; NULL: not given. */
struct owner_conf {
	char *user;
	char *group;
};

/* How bytes are moved: by what suits them, or always so. */
enum relay_kind { RELAY_AUTO, RELAY_COPY, RELAY_SPLICE };

struct listener_conf {
	char			   *name;
	const struct config	   *config;
	size_t			    index; /* its place: config/places.h */
	struct origin		    origin;
	struct bind_conf	   *binds;
	size_t			    nbinds;
	char			   *upstream_name; /* the one that is used */
	const struct upstream_conf *upstream;	   /* never NULL once checked */
	struct routes		    routes;	   /* who goes elsewhere */
	uint64_t		    peek_timeout;
	uint64_t		    max_sessions;  /* 0: only the global one */
	enum accept_proxy	    accept_proxy;
	struct proxy_conf	   *proxies; /* accept_proxy_from */
	size_t			    nproxies;
	const struct prefix_map	   *proxy_map; /* of them; NULL: everybody */
	uint64_t		    greeting_timeout;
	uint64_t		    idle_timeout;
	uint64_t		    half_close_timeout;
	uint64_t		    max_lifetime;
	uint64_t		    stall_timeout;
	uint64_t		    backlog; /* 0: somaxconn */
	uint64_t		    bandwidth_to_upstream; /* bytes/s; 0: off */
	uint64_t		    bandwidth_to_client;
	uint64_t		    max_sessions_per_client;
	struct rate_limit	    session_rate;
	struct rate_limit	    session_rate_per_client;
	uint64_t		    client_ipv6_prefix; /* bits */
	struct access_conf	    access;
	enum deny_action	    deny_action;
	enum relay_kind		    relay;
	unsigned		    socket_mode; /* 0: as the umask has it */
	struct owner_conf	    socket_owner;
	char			   *interface; /* NULL: any */
	bool			    freebind;
	bool			    transparent;
	bool			    fast_open;
	uint64_t		    defer_accept; /* 0: off */
	bool			    mptcp;
	struct tcp_conf		    tcp;
	struct origin		   *origins;
};

struct global_conf {
	uint64_t       workers;	     /* 0: one for each CPU we may use */
	uint64_t       max_sessions; /* 0: from the fd limit */
	uint64_t       drain_timeout;
	uint64_t       pipe_size;
	uint64_t       bulk_share; /* percent */
	char	      *user;	 /* NULL: not given */
	char	      *group;	 /* NULL: that of the user */
	char	      *pid_file; /* absolute, NULL: none */
	struct log_target log;
	enum log_level	  log_level;
	enum log_format	  log_format;
	struct log_target access_log;
	uint64_t	  access_log_interval; /* 0: off */
	bool		  access_log_start;
	char	      *admin;	     /* ADDR:PORT as written, NULL: off */
	struct addr    admin_addr;   /* len 0: off */
	char	      *admin_socket; /* absolute, or "auto", or NULL: off */
	char	      *admin_group;  /* NULL: that of the process */
	struct addr   *dns_servers;  /* none: as resolv.conf has it */
	size_t	       ndns_servers;
	bool	       sandbox;
	struct origin *origins;
};

struct config {
	char		     *path; /* as used, or NULL: only -L and --set */
	char		    **files; /* path and what it includes, as read */
	size_t		      nfiles;
	struct global_conf    global;
	struct listener_conf *listeners;
	size_t		      nlisteners;
	struct upstream_conf *upstreams;
	size_t		      nupstreams;
	size_t		      listener_places; /* all 'index' are below */
	size_t		      upstream_places;
};

/* What the command line adds to the file. */
struct config_source {
	const char	   *path;    /* of the file, or NULL: none */
	const char *const *sets;     /* "section.key=value", NULL-ended, or NULL */
	const char *const *forwards; /* -L "BIND=UPSTREAM", NULL-ended, or NULL */
};

/* Every error of the source, in the order of the files and their lines, each as
 * one finished line:
 * "proxy.ini:8: port must be a number from 1 to 65535, not '99999'".  Warnings
 * are among them, "proxy.ini:8: warning: ...", alone if there is a config. */
struct config_errors {
	char **lines;
	size_t count;
};

/* Reads, parses and checks.  Returns the config (the caller's: config_free),
 * or NULL with at least one error.  'errors' is filled from zero and freed by
 * config_errors_free(); main thread only (inih is fed by static state). */
struct config *config_load(const struct config_source *, struct config_errors *errors);

/* Reads a file for the value of one key of [global], whatever is wrong elsewhere
 * in it: nothing but that field of the config holds.  NULL if what is wrong may
 * be that very line; 'errors' are all there are, as above. */
struct config *config_load_global(const char *path, const char *key,
    struct config_errors *errors);

/* As config_load() for text in memory, 'name' standing for the file in
 * messages; include is an error there.  For tests and fuzzers. */
struct config *config_load_text(const char *name, const char *text, size_t len,
    struct config_errors *errors);

void config_free(struct config *);
void config_errors_free(struct config_errors *);

#endif
