#!/bin/sh
# Every header has its include guard, named after its path; every function that
# a layer shows to others is explained: by a comment above it or beside it, or
# by one above the paragraph that it stands in.  What ends the other half of a
# pair means the same everywhere: free, done, unref, ref, close.
cd "$(dirname "$0")/../.." || exit 1

find src include -name '*.h' | sort | xargs awk '
function fail(line, why) {
	printf "%s:%d: %s\n", file, line, why
	failed = 1
}

function file_done() {
	if (file != "" && (!guarded || !closed))
		fail(1, "no include guard " guard)
}

FNR == 1 {
	file_done()
	file = FILENAME
	guard = toupper(file)
	sub(/^(INCLUDE|SRC)\//, "", guard)
	gsub(/[^A-Z0-9]/, "_", guard)
	guard = "SLUICE_" guard
	guarded = closed = explained = comment = braces = 0
}

# The guard comes before everything but comments.
$1 == "#define" && $2 == guard && opened == guard { guarded = 1 }
{ opened = $1 == "#ifndef" ? $2 : "" }
NF { closed = /^#endif/ }

# A blank line ends a paragraph, and with it what its comment explains.
/^[ \t]*$/ && !comment && !braces { explained = 0 }
/\/\*/ { explained = comment = 1 }
/\*\// { comment = 0 }

file ~ /^include\// && !comment && !braces &&
    /^[a-z][a-z0-9_ ]*[ \t*]+[a-z0-9_]+\(/ && !/^typedef / && !explained {
	name = $0
	sub(/\(.*/, "", name)
	sub(/.*[ \t*]/, "", name)
	if (name !~ /_(free|done|unref|ref|close)$/)
		fail(FNR, name " is not explained")
}

!comment { braces += gsub(/\{/, "{") - gsub(/\}/, "}") }

END {
	file_done()
	exit failed
}
'
