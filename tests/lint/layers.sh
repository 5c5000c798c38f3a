#!/bin/sh
# A file may include its own layer's headers and those of the layers below;
# each library has the rooms where it may appear.
cd "$(dirname "$0")/../.." || exit 1

find src include -name '*.[ch]' | sort | xargs awk '
function fail(why) {
	printf "%s:%d: %s\n", FILENAME, FNR, why
	failed = 1
}

# Whether a file or its layer is among those named.
function lives_in(places,    n, i, place) {
	n = split(places, place, " ")
	for (i = 1; i <= n; i++)
		if (layer == place[i] || FILENAME == place[i])
			return 1
	return 0
}

function exists(path,    line, found) {
	found = (getline line < path) >= 0
	close(path)
	return found
}

BEGIN {
	n = split("base proto net config proxy control main", names, " ")
	for (i = 1; i <= n; i++)
		height[names[i]] = i
}

FNR == 1 {
	split(FILENAME, path, "/")
	layer = path[2] == "main.c" ? "main" : path[2]
	if (!(layer in height))
		fail("no such layer: " layer)
}

!/^[ \t]*#[ \t]*include/ { next }

{
	quoted = /"/
	header = $0
	sub(/^[^"<]*["<]/, "", header)
	sub(/[">].*/, "", header)
	top = header
	sub(/\/.*/, "", top)
}

header ~ /(^|\/)\.\.?\// {
	fail("include by a relative path: " header)
	next
}
header == "event2/http.h" || header ~ /^(event2\/http_|evhttp)/ {
	if (FILENAME !~ /^src\/control\/admin(_http|_reply|_stream)?\.[ch]$/)
		fail("evhttp belongs to the admin server")
	next
}
top == "event2" || header ~ /^(event|evutil|evdns)\.h$/ {
	if (!lives_in("net proxy control"))
		fail("libevent belongs to net, proxy and control")
	next
}
header == "ini.h" {
	if (!lives_in("src/config/parse.c"))
		fail("inih belongs to src/config/parse.c")
	next
}
header == "ares.h" {
	if (FILENAME !~ /^src\/control\/(resolver|reply)_ares\.[ch]$/)
		fail("c-ares belongs to resolver_ares and reply_ares")
	next
}
header == "seccomp.h" {
	if (FILENAME != "src/control/callfilter.c")
		fail("libseccomp belongs to src/control/callfilter.c")
	next
}
!quoted {
	if (exists("include/" header))
		fail("our own headers are included with quotes: " header)
	next
}
top in height && header ~ /\// {
	if (height[top] > height[layer])
		fail(layer " is below " top ", and includes " header)
	else if (!exists("include/" header))
		fail("not a header of include/: " header)
	next
}
{
	if (layer == "main" || path[1] == "include" ||
	    header ~ /\// || !exists("src/" layer "/" header))
		fail("not a private header of this layer: " header)
}

END { exit failed }
'
