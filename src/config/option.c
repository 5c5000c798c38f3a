#include "rows.h"

#include <stdarg.h>
#include <string.h>

#define DAYS(n) (UINT64_C(86400000) * (n))
#define SECONDS(n) (UINT64_C(1000) * (n))

#define FOREVER DAYS(3650)
#define BANDWIDTH_MAX (UINT64_C(100) << 30)

/* Of .restart. */
#define RESTARTS "A change takes a restart."

#define GLOBAL(field)	offsetof(struct global_conf, field)
#define LISTENER(field) offsetof(struct listener_conf, field)
#define UPSTREAM(field) offsetof(struct upstream_conf, field)

/* The options that both sides have.  TCP_KEEPIDLE and TCP_KEEPINTVL take whole
 * seconds up to 32767, TCP_KEEPCNT up to 127 (linux/tcp.h, MAX_TCP_KEEP*). */
#define SOCKET_ROWS(section, OFFSET) \
	{ section, "keepalive", &TYPE_BOOL, OFFSET(tcp.keepalive), \
	    "on", .shared = true, \
	    .doc = "Probe a silent peer, so that one that is gone is found." }, \
	{ section, "keepalive_idle", &TYPE_SECONDS, \
	    OFFSET(tcp.keepalive_idle), "60s", \
	    .min = SECONDS(1), .max = SECONDS(32767), .shared = true, \
	    .doc = "Silence before the first probe." }, \
	{ section, "keepalive_interval", &TYPE_SECONDS, \
	    OFFSET(tcp.keepalive_interval), "15s", \
	    .min = SECONDS(1), .max = SECONDS(32767), .shared = true, \
	    .doc = "Time between two probes." }, \
	{ section, "keepalive_count", &TYPE_NUMBER, \
	    OFFSET(tcp.keepalive_count), "4", \
	    .min = 1, .max = 127, .shared = true, \
	    .doc = "Unanswered probes before a peer counts as dead." }, \
	{ section, "tcp_nodelay", &TYPE_BOOL, OFFSET(tcp.tcp_nodelay), \
	    "on", .shared = true, \
	    .doc = "Send small messages at once (TCP_NODELAY)." }, \
	{ section, "receive_buffer", &TYPE_SIZE, \
	    OFFSET(tcp.receive_buffer), "auto", \
	    .min = 1 << 10, .max = 1 << 30, .zero = "auto", .shared = true, \
	    .doc = "Kernel receive buffer of a connection (SO_RCVBUF); auto " \
		   "lets the kernel tune it, which is nearly always best." }, \
	{ section, "send_buffer", &TYPE_SIZE, \
	    OFFSET(tcp.send_buffer), "auto", \
	    .min = 1 << 10, .max = 1 << 30, .zero = "auto", .shared = true, \
	    .doc = "Kernel send buffer of a connection (SO_SNDBUF); auto " \
		   "lets the kernel tune it, which is nearly always best." }

static const char *const LEVEL_WORDS[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
	[LOG_LEVEL_DEBUG + 1] = NULL,
};

static const char *const FORMAT_WORDS[] = {
	[LOG_FORMAT_TEXT] = "text",
	[LOG_FORMAT_JSON] = "json",
	[LOG_FORMAT_JSON + 1] = NULL,
};

static const char *const DENY_WORDS[] = {
	[DENY_RESET] = "reset",
	[DENY_CLOSE] = "close",
	[DENY_DROP] = "drop",
	[DENY_DROP + 1] = NULL,
};

static const char *const ACCEPT_PROXY_WORDS[] = {
	[ACCEPT_PROXY_OFF] = "off",
	[ACCEPT_PROXY_REQUIRE] = "require",
	[ACCEPT_PROXY_OPTIONAL] = "optional",
	[ACCEPT_PROXY_OPTIONAL + 1] = NULL,
};

static const char *const SEND_PROXY_WORDS[] = {
	[SEND_PROXY_OFF] = "off",
	[SEND_PROXY_V1] = "v1",
	[SEND_PROXY_V2] = "v2",
	[SEND_PROXY_V2 + 1] = NULL,
};

static const char *const BALANCE_NAMES[] = {
	[BALANCE_ROUND_ROBIN] = "round_robin",
	[BALANCE_LEAST_SESSIONS] = "least_sessions",
	[BALANCE_RANDOM_TWO] = "random_two",
	[BALANCE_HASH] = "hash",
	[BALANCE_FIRST] = "first",
	[BALANCE_KINDS] = NULL,
};

static const char *const HASH_KEY_NAMES[] = {
	[HASH_KEY_CLIENT] = "client",
	[HASH_KEY_SNI] = "sni",
	[HASH_KEY_SNI + 1] = NULL,
};

static const char *const CHECK_WORDS[] = {
	[CHECK_OFF] = "off",
	[CHECK_BY_TCP] = "tcp",
	[CHECK_BY_TLS] = "tls",
	[CHECK_BY_SEND_EXPECT] = "send_expect",
	[CHECK_BY_HTTP] = "http",
	[CHECK_BY_HTTP + 1] = NULL,
};

static const char *const ON_DOWN_WORDS[] = {
	[ON_DOWN_KEEP] = "keep",
	[ON_DOWN_DRAIN] = "drain",
	[ON_DOWN_KILL] = "kill",
	[ON_DOWN_KILL + 1] = NULL,
};

static const char *const RELAY_WORDS[] = {
	[RELAY_AUTO] = "auto",
	[RELAY_COPY] = "copy",
	[RELAY_SPLICE] = "splice",
	[RELAY_SPLICE + 1] = NULL,
};

const struct option OPTIONS[] = {
	{ SECTION_GLOBAL, "workers", &TYPE_NUMBER, GLOBAL(workers), "auto",
	    .restart = true,
	    .min = 1, .max = 256, .zero = "auto",
	    .doc = "Threads that forward; auto is one for each CPU that the "
		   "daemon may use. "
		   RESTARTS },
	{ SECTION_GLOBAL, "max_sessions", &TYPE_NUMBER, GLOBAL(max_sessions),
	    "auto", .min = 1, .max = 10000000, .zero = "auto",
	    .doc = "Sessions at a time, of all listeners; further clients "
		   "wait in the kernel's queue. auto follows from the limit "
		   "of open files." },
	{ SECTION_GLOBAL, "drain_timeout", &TYPE_DURATION,
	    GLOBAL(drain_timeout), "25s", .min = 1, .max = FOREVER,
	    .zero = "off",
	    .doc = "How long a daemon that was told to stop lets sessions "
		   "finish; in the last tenth of it what is left is closed, "
		   "one after the other. off, or 0, waits for the last." },
	{ SECTION_GLOBAL, "pipe_size", &TYPE_SIZE, GLOBAL(pipe_size), "256k",
	    .min = 4 << 10, .max = 1 << 20,
	    .doc = "Size of the pipes that relay = splice moves bytes "
		   "through. Where the kernel does not give one of this size "
		   "(fs.pipe-max-size, and fs.pipe-user-pages-soft for all "
		   "pipes of a user who is not root), bytes are copied." },
	{ SECTION_GLOBAL, "bulk_share", &TYPE_NUMBER, GLOBAL(bulk_share),
	    "50", .min = 1, .max = 100,
	    .doc = "How much of a worker's time, in percent, large transfers "
		   "may take while other sessions exchange small messages, "
		   "which would wait for them. 100 gives all that is left to "
		   "transfers." },
	{ SECTION_GLOBAL, "user", &TYPE_ACCOUNT, GLOBAL(user), NULL,
	    .restart = true,
	    .example = "sluice",
	    .doc = "Who the daemon is once its ports are bound, if it was "
		   "started as root. Without it: sluice where there is such "
		   "a user, else nobody; root stays root. "
		   RESTARTS },
	{ SECTION_GLOBAL, "group", &TYPE_ACCOUNT, GLOBAL(group), NULL,
	    .restart = true,
	    .example = "sluice",
	    .doc = "The group that goes with user, instead of the user's "
		   "own. "
		   RESTARTS },
	{ SECTION_GLOBAL, "pid_file", &TYPE_PATH, GLOBAL(pid_file), "off",
	    .restart = true,
	    .doc = "Holds the process id while the daemon runs, and keeps a "
		   "second one from starting with the same file. "
		   RESTARTS },
	{ SECTION_GLOBAL, "log", &TYPE_LOG, GLOBAL(log), "stderr",
	    .doc = "Where messages go; with -d to syslog unless this is set. "
		   "USR1 and HUP open a file anew." },
	{ SECTION_GLOBAL, "log_level", &TYPE_WORD, GLOBAL(log_level), "info",
	    .words = LEVEL_WORDS,
	    .doc = "The least important messages to log." },
	{ SECTION_GLOBAL, "log_format", &TYPE_WORD, GLOBAL(log_format),
	    "text", .words = FORMAT_WORDS,
	    .doc = "How lines are written: json is one object a line, text is "
		   "logfmt, but for messages to stderr and syslog, which are "
		   "for people." },
	{ SECTION_GLOBAL, "access_log", &TYPE_ACCESS, GLOBAL(access_log),
	    "on",
	    .doc = "Where one line for each session goes when it ends; on is "
		   "where log goes." },
	{ SECTION_GLOBAL, "access_log_interval", &TYPE_DURATION,
	    GLOBAL(access_log_interval), "off", .min = SECONDS(1),
	    .max = FOREVER, .zero = "off",
	    .doc = "Log a line for each session that still runs, this often, "
		   "with its bytes so far." },
	{ SECTION_GLOBAL, "access_log_start", &TYPE_BOOL,
	    GLOBAL(access_log_start), "off",
	    .doc = "Log a line for each session also when its server has "
		   "been connected." },
	{ SECTION_GLOBAL, "admin", &TYPE_ADMIN, GLOBAL(admin), "off",
	    .restart = true,
	    .doc = "Where the daemon shows its status page, read-only, over "
		   "HTTP. "
		   RESTARTS },
	{ SECTION_GLOBAL, "admin_socket", &TYPE_PATH, GLOBAL(admin_socket),
	    "auto", .zero = "auto",
	    .restart = true,
	    .doc = "The Unix socket of 'sluice ctl'. auto is "
		   "/run/sluice/sluice.sock for root, else sluice.sock in "
		   "$RUNTIME_DIRECTORY or $XDG_RUNTIME_DIR; where that is "
		   "taken or cannot be made, the daemon runs without. "
		   RESTARTS },
	{ SECTION_GLOBAL, "admin_group", &TYPE_ACCOUNT, GLOBAL(admin_group),
	    NULL,
	    .restart = true,
	    .example = "adm",
	    .doc = "The group that may use admin_socket, besides the user "
		   "the daemon runs as and root. To give it the socket, a daemon "
		   "that is not started as root has to be a member: for the "
		   "service, usermod -aG GROUP sluice. "
		   RESTARTS },
	{ SECTION_GLOBAL, "include", &TYPE_INCLUDE, 0, NULL,
	    .example = "conf.d/*.ini", .list = true,
	    .doc = "More files, read behind this one in the order of their "
		   "names. A relative path starts at the folder of this "
		   "file. A pattern may match nothing. Included files may "
		   "have any section, but no include of their own." },

	{ SECTION_GLOBAL, "dns_server", &TYPE_DNS_SERVER,
	    GLOBAL(dns_servers), NULL, .example = "192.0.2.53", .list = true,
	    .doc = "A name server to ask, with its port if that is not 53; "
		   "several are tried in turn. Without it: those of "
		   "/etc/resolv.conf. Needs c-ares (sluice -V)." },
	{ SECTION_GLOBAL, "sandbox", &TYPE_BOOL, GLOBAL(sandbox), "on",
	    .restart = true,
	    .doc = "Take from each thread, once it runs, the system calls and "
		   "files that it does not need (seccomp, Landlock), as far "
		   "as the kernel can; sluice(8) says which. Capabilities are "
		   "given up in any case. " RESTARTS },
	{ SECTION_LISTENER, "bind", &TYPE_BIND, LISTENER(binds), NULL,
	    .example = "127.0.0.1:15432", .list = true,
	    .doc = "Where to accept clients. :PORT is every address of this "
		   "machine, IPv4 and IPv6; FIRST-LAST are up to 1024 ports; "
		   "port 0 takes any free one; systemd:NAME is what a socket "
		   "unit passes by that name." },
	{ SECTION_LISTENER, "upstream", &TYPE_NAME, LISTENER(upstream_name),
	    NULL, .example = "NAME", .shared = true,
	    .doc = "Where the sessions go: an [upstream NAME]. Without it, "
		   "the upstream of the listener's own name, else the only "
		   "one." },
	{ SECTION_LISTENER, "route", &TYPE_ROUTE, LISTENER(routes), NULL,
	    .example = "sni db.example.com -> default", .list = true,
	    .doc = "Who goes to another upstream: clients that ask for a name "
		   "in their TLS hello (its server name indication), that "
		   "offer a protocol in it (as h2), or that come from an "
		   "address. The first rule that matches holds, and whom none "
		   "matches goes to upstream. *.example.com is any name with "
		   "one label more. TLS is not ended: the hello is passed on "
		   "as it came. A client that says nothing, no TLS or no "
		   "whole hello within peek_timeout matches rules for client "
		   "only." },
	{ SECTION_LISTENER, "peek_timeout", &TYPE_DURATION,
	    LISTENER(peek_timeout), "5s", .min = 1, .max = FOREVER,
	    .shared = true,
	    .doc = "How long a route by sni or alpn, or an upstream with "
		   "hash_key = sni, waits for the client's hello, in all. Clients of protocols in which the server "
		   "speaks first wait as long." },
	{ SECTION_LISTENER, "allow", &TYPE_RULE, LISTENER(access), NULL,
	    .example = "10.0.0.0/8", .list = true, .beside = "deny",
	    .shared = true,
	    .doc = "Clients that may come in. allow and deny are one list in "
		   "the order of their lines, and the first that has the "
		   "client's address holds. Where there is any allow, who is "
		   "in no line is denied; where there are deny lines only, "
		   "who is in none may come in. all is everybody, unix every "
		   "client of a Unix socket, and file:PATH a file with an "
		   "address or a range on each line; a relative path starts "
		   "at the folder of this file. allow and deny are one list: "
		   "either of them in a listener replaces both of "
		   "[defaults]." },
	{ SECTION_LISTENER, "deny", &TYPE_RULE, LISTENER(access), NULL,
	    .example = "192.0.2.0/24", .list = true, .beside = "allow",
	    .shared = true,
	    .doc = "Clients that may not come in: see allow. allow and deny "
		   "are one list: either of them in a listener replaces both "
		   "of [defaults]." },
	{ SECTION_LISTENER, "deny_action", &TYPE_WORD, LISTENER(deny_action),
	    "reset", .words = DENY_WORDS, .shared = true,
	    .doc = "What a denied client sees: a reset, a close, or, with "
		   "drop, nothing until greeting_timeout. At most 1000 are "
		   "kept waiting at a time, and no more than a quarter of "
		   "max_sessions; others are reset." },
	{ SECTION_LISTENER, "max_sessions", &TYPE_NUMBER,
	    LISTENER(max_sessions), "off", .min = 1, .max = 10000000,
	    .zero = "off", .shared = true,
	    .doc = "Sessions at a time; further clients wait in the kernel's "
		   "queue. off leaves it to the one in [global]." },
	{ SECTION_LISTENER, "accept_proxy", &TYPE_WORD,
	    LISTENER(accept_proxy), "off", .words = ACCEPT_PROXY_WORDS,
	    .shared = true,
	    .doc = "Whether connections begin with a header of the PROXY "
		   "protocol, version 1 or 2, in which a proxy in front says "
		   "who its client is. That address is the client's from "
		   "then on, for rules, limits and logs. require ends a "
		   "session without a good one; optional takes it from those "
		   "of accept_proxy_from, if they begin one within 200 ms." },
	{ SECTION_LISTENER, "accept_proxy_from", &TYPE_PROXIES,
	    LISTENER(proxies), NULL, .example = "10.0.0.0/8", .list = true,
	    .shared = true,
	    .doc = "Who is believed a PROXY header: the proxies in front, by "
		   "address or range; unix is every client of a Unix socket. "
		   "With require, who is not among them is reset; without "
		   "this, everybody who can connect may say who he is." },
	{ SECTION_LISTENER, "max_sessions_per_client", &TYPE_NUMBER,
	    LISTENER(max_sessions_per_client), "off", .min = 1,
	    .max = 10000000, .zero = "off", .shared = true,
	    .doc = "Sessions at a time from one address; further ones are "
		   "reset. All clients of a Unix socket count as one." },
	{ SECTION_LISTENER, "session_rate", &TYPE_RATE,
	    LISTENER(session_rate), "off", .min = 1, .max = 1000000,
	    .zero = "off", .shared = true,
	    .doc = "New sessions in a time, and as many at once, of all "
		   "clients of the listener; further clients wait in the "
		   "kernel's queue." },
	{ SECTION_LISTENER, "session_rate_per_client", &TYPE_RATE,
	    LISTENER(session_rate_per_client), "off", .min = 1,
	    .max = 1000000, .zero = "off", .shared = true,
	    .doc = "New sessions in a time, and as many at once, from one "
		   "address; further ones are reset. Who comes back soon is "
		   "known again unless 65536 others left meanwhile." },
	{ SECTION_LISTENER, "client_ipv6_prefix", &TYPE_NUMBER,
	    LISTENER(client_ipv6_prefix), "128", .min = 1, .max = 128,
	    .shared = true,
	    .doc = "How many bits of an IPv6 address say which client it is "
		   "for the limits of one client: with 64, a network whose "
		   "hosts choose their addresses counts as one." },
	{ SECTION_LISTENER, "greeting_timeout", &TYPE_DURATION,
	    LISTENER(greeting_timeout), "5s", .min = 1, .max = FOREVER,
	    .shared = true,
	    .doc = "How long a client may take, in all, until its PROXY "
		   "header is complete; and how long one is kept waiting that "
		   "deny_action = drop tells nothing." },
	{ SECTION_LISTENER, "idle_timeout", &TYPE_DURATION,
	    LISTENER(idle_timeout), "24h", .min = 1, .max = FOREVER,
	    .zero = "off", .shared = true,
	    .doc = "Silence in both directions that ends a session. Dead "
		   "peers are found by keepalive, long before." },
	{ SECTION_LISTENER, "half_close_timeout", &TYPE_DURATION,
	    LISTENER(half_close_timeout), "5m", .min = 1, .max = FOREVER,
	    .zero = "off", .shared = true,
	    .doc = "Silence that ends a session of which one side has "
		   "finished sending." },
	{ SECTION_LISTENER, "max_lifetime", &TYPE_DURATION,
	    LISTENER(max_lifetime), "off", .min = 1, .max = FOREVER,
	    .zero = "off", .shared = true,
	    .doc = "Age that ends a session even when it is busy, give or "
		   "take a tenth." },
	{ SECTION_LISTENER, "stall_timeout", &TYPE_DURATION,
	    LISTENER(stall_timeout), "off", .min = 1, .max = FOREVER,
	    .zero = "off", .shared = true,
	    .doc = "How long a peer may take nothing of what is waiting for "
		   "it before the session ends, if it no longer answers "
		   "either." },
	{ SECTION_LISTENER, "backlog", &TYPE_NUMBER, LISTENER(backlog), "auto",
	    .min = 1, .max = 1000000, .zero = "auto", .shared = true,
	    .doc = "Clients that may wait to be accepted; auto is the "
		   "kernel's limit, net.core.somaxconn." },
	{ SECTION_LISTENER, "socket_mode", &TYPE_MODE, LISTENER(socket_mode),
	    NULL, .example = "0660", .shared = true,
	    .doc = "Who may connect to a Unix socket, as chmod(1) has it: "
		   "that takes the right to write. Without it the umask "
		   "says." },
	{ SECTION_LISTENER, "socket_owner", &TYPE_OWNER,
	    LISTENER(socket_owner), NULL, .example = ":www-data",
	    .shared = true,
	    .doc = "Whose a Unix socket is: USER, USER:GROUP or :GROUP. "
		   "Without it, that of the daemon. Somebody else's takes "
		   "root (CAP_CHOWN); a group takes being a member." },
	{ SECTION_LISTENER, "interface", &TYPE_INTERFACE, LISTENER(interface),
	    NULL, .example = "eth0", .shared = true,
	    .doc = "Accept only what comes in by this network interface "
		   "(SO_BINDTODEVICE), whatever the address. Two listeners "
		   "may have the same port on different ones." },
	{ SECTION_LISTENER, "freebind", &TYPE_BOOL, LISTENER(freebind), "off",
	    .shared = true,
	    .doc = "Bind an address that this machine does not have yet: one "
		   "that moves from machine to machine, or comes after the "
		   "daemon." },
	{ SECTION_LISTENER, "transparent", &TYPE_BOOL, LISTENER(transparent),
	    "off", .shared = true,
	    .doc = "Accept clients of any address that the firewall redirects "
		   "here by TPROXY (IP_TRANSPARENT). Needs CAP_NET_RAW at "
		   "start, which root has; the service does not until "
		   "'systemctl edit sluice' adds it to AmbientCapabilities "
		   "and CapabilityBoundingSet. See also source = client." },
	{ SECTION_LISTENER, "fast_open", &TYPE_BOOL, LISTENER(fast_open),
	    "off", .shared = true,
	    .doc = "Take what clients send with their first packet (TCP Fast "
		   "Open, RFC 7413), which saves a round trip; up to 256 may "
		   "be half-open. The network may repeat that packet: only "
		   "for protocols whose first request may come twice. The "
		   "kernel must allow it: net.ipv4.tcp_fastopen = 3." },
	{ SECTION_LISTENER, "defer_accept", &TYPE_SECONDS,
	    LISTENER(defer_accept), "off", .min = SECONDS(1),
	    .max = SECONDS(600), .zero = "off", .shared = true,
	    .doc = "Leave clients to the kernel until they say something, for "
		   "up to about this long. It breaks every protocol in which "
		   "the server speaks first: SSH, SMTP, FTP, MySQL." },
	{ SECTION_LISTENER, "mptcp", &TYPE_BOOL, LISTENER(mptcp), "off",
	    .shared = true,
	    .doc = "Let clients use several paths at a time (Multipath TCP, "
		   "RFC 8684); the others come by TCP as ever. Where the "
		   "kernel has none, a line of the log says so." },
	{ SECTION_LISTENER, "bandwidth_to_upstream", &TYPE_SIZE,
	    LISTENER(bandwidth_to_upstream), "off", .min = 1 << 10,
	    .max = BANDWIDTH_MAX, .zero = "off", .shared = true,
	    .doc = "Bytes a second that each session may send to its server. "
		   "They go in bursts of about 20 ms, up to 30 ms after a "
		   "pause, and count when they are read from the client. What "
		   "a client that resets has said before is no faster." },
	{ SECTION_LISTENER, "bandwidth_to_client", &TYPE_SIZE,
	    LISTENER(bandwidth_to_client), "off", .min = 1 << 10,
	    .max = BANDWIDTH_MAX, .zero = "off", .shared = true,
	    .doc = "The same of what each session may send to its client." },
	{ SECTION_LISTENER, "relay", &TYPE_WORD, LISTENER(relay), "auto",
	    .words = RELAY_WORDS, .shared = true,
	    .doc = "How bytes are moved: copy is cheaper for small messages, "
		   "splice (through a pipe inside the kernel) for large "
		   "transfers; auto finds out for each direction of each "
		   "session, over and over." },
	SOCKET_ROWS(SECTION_LISTENER, LISTENER),

	{ SECTION_UPSTREAM, "host", &TYPE_HOST, UPSTREAM(host), NULL,
	    .example = "127.0.0.1",
	    .doc = "The server to forward to: a name or an address. Needs "
		   "port." },
	{ SECTION_UPSTREAM, "port", &TYPE_NUMBER, UPSTREAM(port), NULL,
	    .example = "5432", .min = 1, .max = 65535,
	    .doc = "The port of host." },
	{ SECTION_UPSTREAM, "server", &TYPE_SERVER, UPSTREAM(servers), NULL,
	    .example = "db1.internal:5432 weight=2", .list = true,
	    .doc = "One of several servers, instead of host and port. A "
		   "server of weight 2 gets twice the sessions of one of "
		   "weight 1; a backup gets some only when no other server "
		   "accepts. Of a name with IPv4 and IPv6 addresses the other "
		   "family is tried as well after 250 ms (RFC 8305)." },
	{ SECTION_UPSTREAM, "balance", &TYPE_WORD, UPSTREAM(balance),
	    "round_robin", .words = BALANCE_NAMES, .shared = true,
	    .doc = "Which server a new session goes to, where there are "
		   "several. round_robin: in turn. least_sessions: to the one "
		   "with the fewest sessions for its weight, which suits "
		   "sessions of very different length. random_two: to the "
		   "less busy of two by chance, which suits many proxies that "
		   "know nothing of each other. hash: the same client always "
		   "to the same one, by whichever proxy that has the same "
		   "servers, in any order; when one leaves or joins, hardly "
		   "any sessions move but its own. first: to the first in the "
		   "order of the lines, to the next only while that is "
		   "out or full." },
	{ SECTION_UPSTREAM, "hash_key", &TYPE_WORD, UPSTREAM(hash_key),
	    "client", .words = HASH_KEY_NAMES, .shared = true,
	    .doc = "What balance = hash goes by. client is the client's "
		   "address, whatever its port; all clients of Unix sockets "
		   "count as one. sni is the name that it asks for in its TLS "
		   "hello; one that asks for none goes by its address. Then "
		   "a hello is waited for as for a route by sni." },
	{ SECTION_UPSTREAM, "slow_start", &TYPE_DURATION,
	    UPSTREAM(slow_start), "off", .min = 1, .max = DAYS(1),
	    .zero = "off", .shared = true,
	    .doc = "How long a server that came back, or a new address of a "
		   "name, is spared: its share grows evenly from a tenth to "
		   "all of its weight. Not with balance = hash or first." },
	{ SECTION_UPSTREAM, "source", &TYPE_SOURCE, UPSTREAM(sources), NULL,
	    .example = "192.0.2.1", .list = true, .shared = true,
	    .doc = "The address of this machine to connect from, instead of "
		   "the kernel's choice; several are used in turn. client is "
		   "the client's own address, which takes CAP_NET_RAW and a "
		   "route by which the server's answers come back here; the "
		   "server has to be of the same address family." },
	{ SECTION_UPSTREAM, "connect_timeout", &TYPE_DURATION,
	    UPSTREAM(connect_timeout), "5s", .min = 1, .max = FOREVER,
	    .shared = true,
	    .doc = "How long one attempt to connect may take, and how long the "
		   "answer may take for a client that comes while no name "
		   "resolves: a name is then asked for again, once a second "
		   "at most." },
	{ SECTION_UPSTREAM, "connect_attempts", &TYPE_NUMBER,
	    UPSTREAM(connect_attempts), "3", .min = 1, .max = 100,
	    .shared = true,
	    .doc = "Attempts to connect before the client is reset: the next "
		   "server at once, one tried before after 200 ms. Every "
		   "server is tried once, however many there are; in all it "
		   "takes no longer than this times connect_timeout." },
	{ SECTION_UPSTREAM, "dns_ttl_min", &TYPE_DURATION,
	    UPSTREAM(dns_ttl_min), "1s", .min = SECONDS(1), .max = DAYS(1),
	    .shared = true,
	    .doc = "Names are looked up again when the TTL of their answer is "
		   "over, but not before this; sooner only when a server "
		   "cannot be reached." },
	{ SECTION_UPSTREAM, "dns_ttl_max", &TYPE_DURATION,
	    UPSTREAM(dns_ttl_max), "1h", .min = SECONDS(1), .max = DAYS(7),
	    .shared = true,
	    .doc = "The longest that names go without being looked up again, "
		   "whatever their TTL." },
	{ SECTION_UPSTREAM, "server_max_sessions", &TYPE_NUMBER,
	    UPSTREAM(server_max_sessions), "off", .min = 1, .max = 10000000,
	    .zero = "off", .shared = true,
	    .doc = "Sessions that one server may have at a time, exactly, "
		   "those that connect to it included; max_sessions= of a "
		   "server's line is for that one alone. Further clients go "
		   "to another server, and wait when all are full. Of a name "
		   "with several addresses each is a server." },
	{ SECTION_UPSTREAM, "queue", &TYPE_NUMBER, UPSTREAM(queue), "1000",
	    .min = 1, .max = 10000000, .zero = "off", .shared = true,
	    .doc = "Clients that may wait while all servers are full, first "
		   "come first served; further ones are reset. Nothing is "
		   "read from who waits. Who waits by on_no_server = hold, "
		   "or for the end of a pause, is not counted: max_sessions "
		   "of the listener bounds those." },
	{ SECTION_UPSTREAM, "queue_timeout", &TYPE_DURATION,
	    UPSTREAM(queue_timeout), "10s", .min = 1, .max = FOREVER,
	    .shared = true,
	    .doc = "How long a client waits for room in a server before it "
		   "is reset." },
	{ SECTION_UPSTREAM, "on_no_server", &TYPE_ABSENCE, UPSTREAM(absence),
	    "refuse", .shared = true,
	    .doc = "What becomes of new clients while no server is up: refuse "
		   "resets them. hold 10s keeps them waiting for so long, as "
		   "through a fail-over, and also tries servers that refuse "
		   "again and again, and names that do not resolve. unlisten "
		   "refuses connections to the ports of the listeners that "
		   "lead to no other upstream, while all servers are out by "
		   "their checks or by hand, so that a balancer in front "
		   "notices; not to Unix sockets, nor to a port 0." },
	{ SECTION_UPSTREAM, "send_proxy", &TYPE_WORD, UPSTREAM(send_proxy),
	    "off", .words = SEND_PROXY_WORDS, .shared = true,
	    .doc = "Tell the server who the client is: a header of the PROXY "
		   "protocol comes before anything else on each connection. "
		   "v1 is a line of text; v2 also passes on what a header of "
		   "the client's said, and has the session's id and, where a "
		   "route heard it, the name in the client's TLS hello. The "
		   "server has to expect it." },
	{ SECTION_UPSTREAM, "check", &TYPE_WORD, UPSTREAM(check), "off",
	    .words = CHECK_WORDS, .shared = true,
	    .doc = "Ask each server time and again whether it is there; one "
		   "that is not gets no sessions. tcp is content with a "
		   "connection, which a program that hangs still gets; tls "
		   "with a handshake (for the name of the "
		   "server; its certificate is not looked at), send_expect "
		   "with the answer check_expect to check_send, http with a "
		   "status from 200 to 399. The connection comes from source, "
		   "and begins as send_proxy says, on nobody's behalf." },
	{ SECTION_UPSTREAM, "check_interval", &TYPE_DURATION,
	    UPSTREAM(check_interval), "2s", .min = 10, .max = DAYS(1),
	    .shared = true,
	    .doc = "From one check to the next, give or take a tenth; a "
		   "quarter of it while the answers begin to differ." },
	{ SECTION_UPSTREAM, "check_timeout", &TYPE_DURATION,
	    UPSTREAM(check_timeout), "2s", .min = 1, .max = DAYS(1),
	    .shared = true,
	    .doc = "How long a check may take in all." },
	{ SECTION_UPSTREAM, "check_rise", &TYPE_NUMBER, UPSTREAM(check_rise),
	    "2", .min = 1, .max = 1000, .shared = true,
	    .doc = "Good checks in a row until a server that is down is up." },
	{ SECTION_UPSTREAM, "check_fall", &TYPE_NUMBER, UPSTREAM(check_fall),
	    "3", .min = 1, .max = 1000, .shared = true,
	    .doc = "Bad ones in a row until a server that is up is down; the "
		   "first check of all decides alone." },
	{ SECTION_UPSTREAM, "check_port", &TYPE_NUMBER, UPSTREAM(check_port),
	    NULL, .example = "8008", .min = 1, .max = 65535, .shared = true,
	    .doc = "The port to check, in place of the one that sessions go "
		   "to." },
	{ SECTION_UPSTREAM, "check_send", &TYPE_BYTES, UPSTREAM(check_send),
	    NULL, .example = "PING\\r\\n", .shared = true,
	    .doc = "What check = send_expect says. For check = http the path "
		   "of the page, / without it." },
	{ SECTION_UPSTREAM, "check_expect", &TYPE_BYTES,
	    UPSTREAM(check_expect), NULL, .example = "+PONG", .shared = true,
	    .doc = "What check = send_expect wants to find in the first 4 KiB "
		   "of the answer, anywhere. Without it nothing is waited "
		   "for." },
	{ SECTION_UPSTREAM, "eject_after", &TYPE_NUMBER,
	    UPSTREAM(eject_after), "off", .min = 1, .max = 1000000,
	    .zero = "off", .shared = true,
	    .doc = "Attempts to connect that fail in a row, of all sessions, "
		   "until a server gets no sessions for eject_time. Never the "
		   "last server that is up; and all come back when no other "
		   "is." },
	{ SECTION_UPSTREAM, "eject_time", &TYPE_DURATION,
	    UPSTREAM(eject_time), "10s", .min = 10, .max = DAYS(1),
	    .shared = true,
	    .doc = "How long that lasts: twice as long each time that follows "
		   "soon, up to 16 times." },
	{ SECTION_UPSTREAM, "eject_max_percent", &TYPE_NUMBER,
	    UPSTREAM(eject_max_percent), "50", .min = 1, .max = 100,
	    .shared = true,
	    .doc = "How many of the servers may be out so at a time." },
	{ SECTION_UPSTREAM, "on_down", &TYPE_WORD, UPSTREAM(on_down), "keep",
	    .words = ON_DOWN_WORDS, .shared = true,
	    .doc = "What becomes of the sessions of a server that fails its "
		   "check, is taken down by hand, or is in the configuration "
		   "no more after a reload: they stay, have "
		   "drain_timeout to end by themselves (if it is back by "
		   "then, they stay), or are reset at once, so that their "
		   "clients go to another server." },
	SOCKET_ROWS(SECTION_UPSTREAM, UPSTREAM),
};

static const struct section_words {
	const char *title, *purpose;
} SECTION_WORDS[SECTION_KINDS] = {
	[SECTION_GLOBAL] = { "[global]", "The daemon as a whole." },
	[SECTION_DEFAULTS] = { "[defaults]", "Values for the listeners and "
		"upstreams that do not say otherwise." },
	[SECTION_LISTENER] = { "[listener NAME]", "Where clients come in. "
		"There may be any number, with different names; [listener] "
		"alone is the one named default." },
	[SECTION_UPSTREAM] = { "[upstream NAME]", "Where their sessions go: "
		"one server, or several that do the same." },
};

const size_t OPTION_COUNT = sizeof(OPTIONS) / sizeof(OPTIONS[0]);

bool
option_belongs(const struct option *option, enum section_kind kind)
{
	return option->kind == kind ||
	    (kind == SECTION_DEFAULTS && option->shared);
}

bool
option_takes(const struct option *option, const char *key)
{
	return strcmp(key, option->key) == 0 || (option->beside != NULL &&
	    strcmp(key, option->beside) == 0);
}

const struct option *
option_find(enum section_kind kind, const char *key)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (option_belongs(&OPTIONS[i], kind) &&
		    strcmp(OPTIONS[i].key, key) == 0)
			return &OPTIONS[i];
	}
	return NULL;
}

const char *
section_title(enum section_kind kind)
{
	return SECTION_WORDS[kind].title;
}

const char *
section_purpose(enum section_kind kind)
{
	return SECTION_WORDS[kind].purpose;
}

bool
setting_wrong(const struct setting *setting, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	report(setting->report, setting->origin, "%s%s", setting->option->key,
	    text);
	return false;
}

const char *
balance_text(enum balance_kind kind)
{
	return BALANCE_NAMES[kind];
}
