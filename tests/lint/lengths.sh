#!/bin/sh
# Nothing is longer than 60 lines (a function) or 500 (a file); what is longer
# does two things.  The rows of a table are not counted.
#
# lengths.sh --report prints how long they are instead.
cd "$(dirname "$0")/../.." || exit 1

# Prints "function FILE:LINE NAME LENGTH" and "file FILE - LENGTH".
measure() {
	find src include -name '*.[ch]' | sort | xargs awk '
	function file_done() {
		if (file != "")
			print "file", file, "-", lines
	}

	FNR == 1 {
		file_done()
		file = FILENAME
		lines = start = inside = 0
		table = 0
	}
	{ lines++ }

	# A table: its rows are data.
	table {
		lines--
		if (/^};/)
			table = 0
		next
	}
	!inside && /= *\{$/ && /^[a-z]/ {
		table = 1
		next
	}

	# A function: from its return type to the brace in column 0.
	inside {
		if (/^}/) {
			print "function", file ":" start, name, FNR - start + 1
			inside = start = 0
		}
		next
	}
	/^\{/ {
		inside = 1
		if (!start)
			start = FNR
		next
	}
	/^[A-Za-z_]/ {
		if (!start) {
			start = FNR
			name = "-"
		}
		if (/\(/ && name == "-") {
			name = $0
			sub(/\(.*/, "", name)
			sub(/.*[ *]/, "", name)
		}
		if (/\) *\{$/)
			print "brace", file ":" FNR, name, 0
		if (/[;}] *(\/\*.*)?$/ || /\{$/)
			start = 0
		next
	}
	/^[ \t]*$/ || /^[#}]/ || /;$/ { start = 0 }

	END { file_done() }
	'
}

report() {
	for kind in function file; do
		measure | grep "^$kind " | sort -k4n | awk -v kind="$kind" '
		{ length_of[NR] = $4; where = $2 " " $3 }
		END {
			if (!NR)
				exit
			printf "%-8s %4d  median %3d  p90 %3d  max %3d  %s\n",
			    kind, NR, length_of[int((NR + 1) / 2)],
			    length_of[int((NR * 9 + 9) / 10)], length_of[NR],
			    where
		}'
	done
}

if test "${1-}" = --report; then
	report
	exit
fi

measure | awk '
	$1 == "function" && $4 > 60 {
		printf "%s: %s has %d lines (60)\n", $2, $3, $4
		failed = 1
	}
	$1 == "file" && $4 > 500 {
		printf "%s: %d lines (500)\n", $2, $4
		failed = 1
	}
	$1 == "brace" {
		printf "%s: %s: the brace has a line of its own\n", $2, $3
		failed = 1
	}
	END { exit failed }'
