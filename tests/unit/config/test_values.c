#include "support.h"

#include <arpa/inet.h>

static const char *
bind_shown(const struct bind_conf *bind, char *text)
{
	char addr[ADDR_TEXT];

	snprintf(text, 256, "%s x%u%s", addr_text(&bind->addr, addr),
	    bind->ports, bind->dual ? " dual" : "");
	return text;
}

static void
assert_bind(const char *value, const char *expected)
{
	char text[512], shown[256];
	struct config *config;

	snprintf(text, sizeof(text), "[listener]\nbind = %s\n[upstream]\n"
	    "host = h\nport = 1\n", value);
	config = load_right(text);
	assert_int_equal(config->listeners[0].nbinds, 1);
	assert_string_equal(bind_shown(&config->listeners[0].binds[0], shown),
	    expected);
	assert_string_equal(config->listeners[0].binds[0].text, value);
	assert_int_equal(config->listeners[0].binds[0].origin.line, 2);
	config_free(config);
}

static void
test_bind_forms(void **state)
{
	(void)state;
	assert_bind("127.0.0.1:80", "127.0.0.1:80 x1");
	assert_bind("0.0.0.0:0", "0.0.0.0:0 x1");
	assert_bind(":5432", "[::]:5432 x1 dual");
	assert_bind(":0", "[::]:0 x1 dual");
	assert_bind("[::]:80", "[::]:80 x1");
	assert_bind("[fe80::1%lo]:80", "[fe80::1%1]:80 x1");
	assert_bind("[::ffff:10.0.0.1]:80", "10.0.0.1:80 x1");
	assert_bind("10.0.0.1:8000-8010", "10.0.0.1:8000 x11");
	assert_bind("10.0.0.1:80-80", "10.0.0.1:80 x1");
	assert_bind(":64512-65535", "[::]:64512 x1024 dual");
	assert_bind("[::1]:1-1024", "[::1]:1 x1024");
	assert_bind("unix:/run/a.sock", "unix:/run/a.sock x1");
	assert_bind("unix:/run/a;b=c:1", "unix:/run/a;b=c:1 x1");
	assert_bind("unix:@abstract", "unix:@abstract x1");
	assert_bind("systemd:web", "unknown x1");
	assert_bind("systemd:sluice.socket", "unknown x1");
}

static void
test_wrong_binds(void **state)
{
	static const char *const rows[][2] = {
		{ "5432", "bind '5432' needs a colon: write ':5432'" },
		{ "8000-8010",
		    "bind '8000-8010' needs a colon: write ':8000-8010'" },
		{ "localhost:80", "bind 'localhost:80' needs a numeric "
		    "address, as in 127.0.0.1:PORT, or :PORT for all" },
		{ "db1.internal:80", "bind 'db1.internal:80' needs a numeric "
		    "address, as in 127.0.0.1:PORT, or :PORT for all" },
		{ "systemd:", "bind 'systemd:' needs a name as "
		    "FileDescriptorName= of a socket unit has it, as in "
		    "systemd:web" },
		{ "systemd:a:b", "bind 'systemd:a:b' needs a name as "
		    "FileDescriptorName= of a socket unit has it, as in "
		    "systemd:web" },
		{ "127.0.0.1", "bind '127.0.0.1' needs a port, as in "
		    "ADDR:PORT" },
		{ "127.0.0.1:", "bind '127.0.0.1:' needs a port from 0 to "
		    "65535 at its end" },
		{ ":", "bind ':' needs a port from 0 to 65535 at its end" },
		{ ":65536", "bind ':65536' needs a port from 0 to 65535 at "
		    "its end" },
		{ ":-1", "bind ':-1' needs a port from 0 to 65535 at its "
		    "end" },
		{ ":80x", "bind ':80x' needs a port from 0 to 65535 at its "
		    "end" },
		{ ":http", "bind ':http' needs a port from 0 to 65535 at its "
		    "end" },
		{ ":1-2-3", "bind ':1-2-3' needs a port from 0 to 65535 at "
		    "its end" },
		{ ":80-", "bind ':80-' needs a port from 0 to 65535 at its "
		    "end" },
		{ ":80-79", "bind ':80-79' is a range that ends before it "
		    "begins" },
		{ ":0-5", "bind ':0-5' is a range that begins with port 0" },
		{ ":1-1025", "bind ':1-1025' is a range of more than 1024 "
		    "ports" },
		{ "::1", "bind '::1' needs brackets around the IPv6 "
		    "address, and a port: '[::1]:PORT'" },
		{ "::1:80", "bind '::1:80' needs brackets around the IPv6 "
		    "address: '[::1]:80'" },
		{ "fe80::1:x", "bind 'fe80::1:x' has too many colons" },
		{ "[::1]", "bind '[::1]' needs a port behind ']', as in "
		    "[ADDR]:PORT" },
		{ "[::1]80", "bind '[::1]80' needs a port behind ']', as in "
		    "[ADDR]:PORT" },
		{ "[::1:80", "bind '[::1:80' has no ']' behind '['" },
		{ "[db]:80", "bind '[db]:80' is not an IPv6 address" },
		{ "256.1.1.1:80", "bind '256.1.1.1:80' is not an IPv4 "
		    "address" },
		{ "1.2.3:80", "bind '1.2.3:80' is not an IPv4 address" },
		{ "*:80", "bind '*:80' is neither an address nor a host "
		    "name" },
		{ "unix:a.sk", "bind 'unix:a.sk' needs an absolute path, as "
		    "in unix:/run/app.sock" },
		{ "unix:/a mode=0660", "bind 'unix:/a mode=0660' has a blank "
		    "or a comma in its path: socket_mode and socket_owner are "
		    "lines of their own" },
		{ "unix:/a,mode=0660", "bind 'unix:/a,mode=0660' has a blank "
		    "or a comma in its path: socket_mode and socket_owner are "
		    "lines of their own" },
		{ "unix:", "bind 'unix:' names no path behind 'unix:'" },
	};
	char line[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(line, sizeof(line), "bind = %s", rows[i][0]);
		assert_line("listener", line, rows[i][1]);
	}
}

static void
test_bind_path_length(void **state)
{
	char path[128], text[256], expected[256];

	(void)state;
	memset(path, 'p', sizeof(path));
	path[0] = '/';
	path[107] = '\0';
	snprintf(text, sizeof(text), "bind = unix:%s", path);
	assert_line("listener", text, "");
	memset(path, 'p', sizeof(path));
	path[0] = '/';
	path[108] = '\0';
	snprintf(text, sizeof(text), "bind = unix:%s", path);
	snprintf(expected, sizeof(expected),
	    "bind 'unix:%s' is a path of more than 107 bytes", path);
	assert_line("listener", text, expected);
}

struct number_row {
	const char *section, *line, *expected;
};

static void
test_ranges(void **state)
{
	static const struct number_row rows[] = {
		{ "global", "workers = auto", "" },
		{ "global", "workers = 0", "" },
		{ "global", "workers = 256", "" },
		{ "global", "workers = 257", "workers must be auto or a "
		    "number from 1 to 256, not '257'" },
		{ "global", "workers = two", "workers must be auto or a "
		    "number from 1 to 256, not 'two'" },
		{ "global", "max_sessions = 10000001", "max_sessions must be "
		    "auto or a number from 1 to 10000000, not '10000001'" },
		{ "global", "drain_timeout = off", "" },
		{ "global", "drain_timeout = 3650d", "" },
		{ "global", "log = syslog", "" },
		{ "global", "log = file:/var/log/x", "" },
		{ "global", "log = on", "log must be stderr, syslog or "
		    "file:PATH, not 'on'" },
		{ "global", "log = /var/log/x", "log must be stderr, syslog "
		    "or file:PATH, not '/var/log/x'; write file: before a "
		    "path" },
		{ "global", "log = file:x", "log needs an absolute path, as "
		    "in file:/var/log/sluice.log, not 'file:x'" },
		{ "global", "pid_file = off", "" },
		{ "global", "pid_file = /run/x.pid", "" },
		{ "global", "pid_file = x.pid", "pid_file must be an absolute "
		    "path, not 'x.pid'" },
		{ "global", "pid_file = auto", "pid_file must be an absolute "
		    "path, not 'auto'" },
		{ "global", "admin_socket = auto", "" },
		{ "global", "log_format = xml", "log_format must be text or "
		    "json, not 'xml'" },
		{ "global", "access_log = file:/var/log/x", "" },
		{ "global", "log_level = debug", "" },
		{ "global", "log_level = warning", "log_level must be error, "
		    "warn, info or debug, not 'warning'" },
		{ "global", "access_log = yes", "" },
		{ "global", "access_log = On", "access_log must be on, off, "
		    "stderr, syslog or file:PATH, not 'On'" },
		{ "listener", "idle_timeout = off", "" },
		{ "listener", "idle_timeout = 0", "" },
		{ "listener", "idle_timeout = 1ms", "" },
		{ "listener", "idle_timeout = auto", "idle_timeout: 'auto' is "
		    "not a duration: write 200ms, 5s, 10m, 24h or 7d" },
		{ "listener", "idle_timeout = 5", "idle_timeout: 5 what? "
		    "write 5s or 5ms" },
		{ "listener", "max_lifetime = 3651d", "max_lifetime: '3651d' "
		    "is too long: at most 3650d" },
		{ "listener", "backlog = 128", "" },
		{ "listener", "backlog = -1", "backlog must be auto or a "
		    "number from 1 to 1000000, not '-1'" },
		{ "listener", "keepalive_idle = 32767s", "" },
		{ "listener", "keepalive_idle = 32768s", "keepalive_idle must "
		    "be whole seconds from 1s to 32767s, not '32768s'" },
		{ "listener", "keepalive_idle = 0", "keepalive_idle must be "
		    "whole seconds from 1s to 32767s, not '0'" },
		{ "listener", "keepalive_interval = 1500ms",
		    "keepalive_interval must be whole seconds, not "
		    "'1500ms'" },
		{ "upstream", "keepalive_count = 127", "" },
		{ "upstream", "keepalive_count = 128", "keepalive_count must "
		    "be a number from 1 to 127, not '128'" },
		{ "upstream", "receive_buffer = 64k", "" },
		{ "upstream", "receive_buffer = 1G", "" },
		{ "upstream", "receive_buffer = 0", "" },
		{ "upstream", "receive_buffer = 1023", "receive_buffer must be "
		    "auto or a size from 1k to 1G, not '1023'" },
		{ "upstream", "send_buffer = 2G", "send_buffer must be auto "
		    "or a size from 1k to 1G, not '2G'" },
		{ "upstream", "send_buffer = 64kb", "send_buffer: '64kb' is "
		    "not a size: write bytes as in 16k, 1M, 2G; 8 Mbit are "
		    "1M" },
		{ "upstream", "connect_timeout = 200ms", "" },
		{ "upstream", "connect_timeout = off", "connect_timeout: "
		    "'off' is not a duration: write 200ms, 5s, 10m, 24h or "
		    "7d" },
		{ "upstream", "connect_attempts = 101", "connect_attempts "
		    "must be a number from 1 to 100, not '101'" },
		{ "upstream", "tcp_nodelay = 1", "tcp_nodelay must be on or "
		    "off, not '1'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_line(rows[i].section, rows[i].line, rows[i].expected);
}

static void
test_admin(void **state)
{
	(void)state;
	assert_line("global", "admin = off", "");
	assert_line("global", "admin = 127.0.0.1:0", "");
	assert_line("global", "admin = [::1]:9901", "");
	assert_line("global", "admin = 9901", "admin '9901' needs an address "
	    "and a port, as in 127.0.0.1:9901");
	assert_line("global", "admin = :9901", "admin ':9901' needs a numeric "
	    "address, as in 127.0.0.1:9901");
	assert_line("global", "admin = localhost:9901", "admin "
	    "'localhost:9901' needs a numeric address, as in 127.0.0.1:9901");
	assert_line("global", "admin = unix:/x", "admin 'unix:/x' needs a "
	    "numeric address, as in 127.0.0.1:9901");
	assert_line("global", "admin = 127.0.0.1:1-2",
	    "admin '127.0.0.1:1-2' must be one port");
}

static void
assert_server(const char *lines, const char *expected)
{
	char text[512], shown[512], addr[ADDR_TEXT];
	const struct server_conf *server;
	struct config *config;

	snprintf(text, sizeof(text), "[listener]\nbind = :1\n[upstream]\n%s\n%s",
	    lines, strstr(lines, "backup") != NULL ? "server = a:9\n" : "");
	config = load_right(text);
	assert_true(config->upstreams[0].nservers <= 2);
	server = &config->upstreams[0].servers[0];
	snprintf(shown, sizeof(shown), "%s %s/%u %s w%u%s", server->name,
	    server->host != NULL ? server->host : "-", server->port,
	    addr_text(&server->addr, addr), (unsigned)server->weight,
	    server->backup ? " backup" : "");
	assert_string_equal(shown, expected);
	assert_int_equal(server->origin.line, 4);
	config_free(config);
}

static void
test_servers(void **state)
{
	(void)state;
	assert_server("server = 10.0.0.1:80",
	    "10.0.0.1:80 -/80 10.0.0.1:80 w1");
	assert_server("server = db1.internal:5432  name=one\tweight=1000 "
	    "backup", "one db1.internal/5432 unknown w1000 backup");
	assert_server("server = [::1]:80 max_sessions=5 backup weight=3",
	    "[::1]:80 -/80 [::1]:80 w3 backup");
	assert_server("server = unix:/run/x",
	    "unix:/run/x -/0 unix:/run/x w1");
	assert_server("server = a_b.example.:65535",
	    "a_b.example.:65535 a_b.example./65535 unknown w1");
	assert_server("host = db1\nport = 5432",
	    "db1:5432 db1/5432 unknown w1");
	assert_server("host = ::1\nport = 5432",
	    "[::1]:5432 -/5432 [::1]:5432 w1");
	assert_server("host = [::1]\nport = 5432",
	    "[::1]:5432 -/5432 [::1]:5432 w1");
	assert_server("host = 10.0.0.1\nport = 1",
	    "10.0.0.1:1 -/1 10.0.0.1:1 w1");
}

static void
test_what_a_server_takes(void **state)
{
	struct config *config = load_right("[listener]\nbind = :1\n[upstream]\n"
	    "server = 10.0.0.1:1 max_sessions=7\nserver = 10.0.0.2:1\n"
	    "server_max_sessions = 9\nqueue = off\nqueue_timeout = 1m\n"
	    "on_no_server = hold\t90s\n");
	const struct upstream_conf *u = &config->upstreams[0];

	(void)state;
	assert_int_equal(u->servers[0].max_sessions, 7);
	assert_int_equal(u->servers[1].max_sessions, 0);
	assert_int_equal(u->server_max_sessions, 9);
	assert_int_equal(u->queue, 0);
	assert_int_equal(u->queue_timeout, 60000);
	assert_int_equal(u->absence.how, ABSENCE_HOLD);
	assert_int_equal(u->absence.hold, 90000);
	config_free(config);
}

static void
test_absences(void **state)
{
	(void)state;
	assert_line("upstream", "on_no_server = refuse", "");
	assert_line("upstream", "on_no_server = unlisten\ncheck = tcp",
	    "");
	assert_line("upstream", "on_no_server = hold 10s", "");
	assert_line("upstream", "on_no_server = hold", "on_no_server must be "
	    "refuse, unlisten, or hold and how long, as in hold 10s, not 'hold'");
	assert_line("upstream", "on_no_server = hold 10",
	    "on_no_server: 10 what? write 10s or 10ms");
	assert_line("upstream", "on_no_server = hold 0",
	    "on_no_server: must be more than 0");
	assert_line("upstream", "on_no_server = wait 1s", "on_no_server must be "
	    "refuse, unlisten, or hold and how long, as in hold 10s, not 'wait 1s'");
}

static void
test_wrong_servers(void **state)
{
	static const char *const rows[][2] = {
		{ "5432", "server '5432' needs a port behind it, as in "
		    "db1.internal:5432" },
		{ "db", "server 'db' needs a port behind it, as in "
		    "db1.internal:5432" },
		{ ":80", "server ':80' needs an address or name before ':'" },
		{ "db:0", "server 'db:0' needs a port from 1 to 65535" },
		{ "db:1-2", "server 'db:1-2' must be one port" },
		{ "a..b:1", "server 'a..b:1' is neither an address nor a host "
		    "name" },
		{ ".:1", "server '.:1' is neither an address nor a host "
		    "name" },
		{ "b\xc3\xbc:1", "server 'b\xc3\xbc:1' is neither an address "
		    "nor a host name" },
		{ "1.2.3.4.5:1", "server '1.2.3.4.5:1' is not an IPv4 "
		    "address" },
		{ "a:1 weigth=2", "server: unknown 'weigth=2'; did you mean "
		    "'weight='?" },
		{ "a:1 weight", "server: unknown 'weight'; did you mean "
		    "'weight='?" },
		{ "a:1 down", "server: unknown 'down'; there are name=N, "
		    "weight=N, max_sessions=N and backup" },
		{ "a:1 max_sessions=0", "server: max_sessions= must be a number "
		    "from 1 to 10000000, not '0'" },
		{ "a:1 max_sessions=1 max_sessions=2", "server: second "
		    "'max_sessions='" },
		{ "a:1 weight=0", "server: weight= must be a number from 1 to "
		    "1000, not '0'" },
		{ "a:1 weight=1001", "server: weight= must be a number from 1 "
		    "to 1000, not '1001'" },
		{ "a:1 weight=1 weight=2", "server: second 'weight='" },
		{ "a:1 name=", "server: name= must be 1 to 32 of the letters "
		    "A-Z a-z 0-9 _ -, not ''" },
		{ "a:1 name=a:1", "server: name= must be 1 to 32 of the "
		    "letters A-Z a-z 0-9 _ -, not 'a:1'" },
		{ "a:1 name=a name=b", "server: second 'name='" },
		{ "a:1 backup backup", "server: second 'backup'" },
		{ "a:1 backup=yes", "server: unknown 'backup=yes'; did you "
		    "mean 'backup'?" },
	};
	char line[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(line, sizeof(line), "server = %s", rows[i][0]);
		assert_line("upstream", line, rows[i][1]);
	}
}

static void
assert_host_wrong(const char *host, const char *wrong)
{
	char text[512], expected[512];

	snprintf(text, sizeof(text), "[upstream]\nhost = %s\nport = 1\n"
	    "[listener]\nbind = :1\n", host);
	snprintf(expected, sizeof(expected), "t:2: host '%s' %s\n", host,
	    wrong);
	assert_errors(text, expected);
}

static void
test_wrong_hosts(void **state)
{
	char label[65] = "";

	(void)state;
	assert_host_wrong("db:5432", "has a port in it: write 'port = 5432' "
	    "on a line of its own");
	assert_host_wrong("unix:/x", "is no host: write 'server = unix:/x' "
	    "instead");
	assert_host_wrong("[::1]:80", "has a port in it: write 'port = 80' on "
	    "a line of its own");
	assert_host_wrong("[::1x", "is neither an address nor a host name");
	assert_host_wrong("[::g]", "is not an IPv6 address");
	assert_host_wrong("a b", "is neither an address nor a host name");
	assert_host_wrong("1.2.3", "is not an IPv4 address");
	assert_host_wrong("http://x", "is neither an address nor a host name");
	assert_host_wrong("::g", "is neither an address nor a host name");
	memset(label, 'l', 64);
	assert_host_wrong(label, "has a part of more than 63 bytes");
}

static void
test_sources(void **state)
{
	struct config *config = load_right("[upstream]\nhost = h\nport = 1\n"
	    "source = 10.0.0.1\nsource = ::1\nsource = [2001:db8::1]\n"
	    "[listener]\nbind = :1\n");
	char text[ADDR_TEXT];

	(void)state;
	assert_int_equal(config->upstreams[0].nsources, 3);
	assert_string_equal(addr_text(&config->upstreams[0].sources[2], text),
	    "[2001:db8::1]:0");
	config_free(config);
	assert_line("upstream", "source = 10.0.0.1:80", "source "
	    "'10.0.0.1:80' must be a numeric address of this machine, without "
	    "port, or client");
	assert_line("upstream", "source = 0.0.0.0", "source '0.0.0.0' must be "
	    "a numeric address of this machine, without port, or client");
	assert_line("upstream", "source = eth0", "source 'eth0' must be a "
	    "numeric address of this machine, without port, or client");
}

static void
assert_tcp_defaults(const struct tcp_conf *tcp)
{
	assert_true(tcp->keepalive);
	assert_int_equal(tcp->keepalive_idle, 60000);
	assert_int_equal(tcp->keepalive_interval, 15000);
	assert_int_equal(tcp->keepalive_count, 4);
	assert_true(tcp->tcp_nodelay);
	assert_int_equal(tcp->receive_buffer, 0);
	assert_int_equal(tcp->send_buffer, 0);
}

/* The table of the design. */
static void
test_defaults(void **state)
{
	struct config *config = load_right(REST);
	const struct listener_conf *l = &config->listeners[0];
	const struct upstream_conf *u = &config->upstreams[0];

	(void)state;
	assert_int_equal(config->global.workers, 0);
	assert_int_equal(config->global.max_sessions, 0);
	assert_int_equal(config->global.drain_timeout, 25000);
	assert_int_equal(config->global.log.to, LOG_TO_STDERR);
	assert_int_equal(config->global.log_level, LOG_LEVEL_INFO);
	assert_int_equal(config->global.access_log.to, LOG_TO_LOG);
	assert_string_equal(config->global.admin_socket, "auto");
	assert_null(config->global.pid_file);
	assert_null(config->global.admin);
	assert_int_equal(config->global.admin_addr.len, 0);
	assert_int_equal(l->max_sessions, 0);
	assert_int_equal(l->idle_timeout, 86400000);
	assert_int_equal(l->half_close_timeout, 300000);
	assert_int_equal(l->max_lifetime, 0);
	assert_int_equal(l->stall_timeout, 0);
	assert_int_equal(l->backlog, 0);
	assert_tcp_defaults(&l->tcp);
	assert_int_equal(u->connect_timeout, 5000);
	assert_int_equal(u->connect_attempts, 3);
	assert_int_equal(u->nsources, 0);
	assert_tcp_defaults(&u->tcp);
	assert_string_equal(l->name, "default");
	assert_string_equal(u->name, "default");
	config_free(config);
}

static void
test_section_defaults(void **state)
{
	struct config *config = load_right("[listener a]\nbind = :1\n"
	    "[listener b]\nbind = :2\nidle_timeout = 2h\n"
	    "[upstream u]\nhost = h\nport = 1\n[upstream v]\nhost = h\n"
	    "port = 2\nsource = 10.0.0.9\nkeepalive = on\n"
	    "[defaults]\nidle_timeout = 1h\nkeepalive = off\n"
	    "source = 10.0.0.1\nsource = 10.0.0.2\nupstream = u\n");

	(void)state;
	assert_int_equal(config->listeners[0].idle_timeout, 3600000);
	assert_int_equal(config->listeners[1].idle_timeout, 7200000);
	assert_false(config->listeners[0].tcp.keepalive);
	assert_false(config->upstreams[0].tcp.keepalive);
	assert_true(config->upstreams[1].tcp.keepalive);
	assert_int_equal(config->upstreams[0].nsources, 2);
	assert_int_equal(config->upstreams[1].nsources, 1); /* replaced */
	assert_ptr_equal(config->listeners[1].upstream, &config->upstreams[0]);
	config_free(config);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bind_forms),
		cmocka_unit_test(test_wrong_binds),
		cmocka_unit_test(test_bind_path_length),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_admin),
		cmocka_unit_test(test_servers),
		cmocka_unit_test(test_what_a_server_takes),
		cmocka_unit_test(test_absences),
		cmocka_unit_test(test_wrong_servers),
		cmocka_unit_test(test_wrong_hosts),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_section_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
