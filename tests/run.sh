#!/bin/sh
# Runs tiers of tests and adds them up: run.sh TIER...
#
#   lint                      every script of tests/lint is one test
#   unit-VARIANT              tests/unit, built as VARIANT
#   integration-VARIANT       tests/integration against the daemon of VARIANT
#   fuzz                      every target of tests/fuzz for FUZZ_TIME seconds
#   compilers                 builds by gcc, by clang, for debugging, without each library
#   faults                    tests/faults: every allocation, every call fails
#
# A tier that fails does not stop the next.  A tier without tests is absent.
# The last line is "N passed, N failed, N skipped"; logs are in build/check/TIER/.
set -u
cd "$(dirname "$0")/.." || exit 1

make=${MAKE:-make}
python=/usr/bin/python3
cpus=$(nproc)

# --- What the tiers have in common.

# Appends a tier's result to those that are added up.
record() {
	echo "$1 $2 $3" >>"$logs/counts"
}

# Says what is worth reading of a log, below the tier's line.
show() {
	sed 's/^/    /' >>"$logs/notes"
}

build() {
	$make --no-print-directory -k -j"$cpus" "$@" >"$logs/build.log" 2>&1 &&
	    return 0
	grep -vE '^  [A-Z]+ ' "$logs/build.log" | tail -n 40 | show
	record 0 1 0
	return 1
}

# How the sanitizers are to behave, and how much slower they may be.
sanitizers() {
	common="exitcode=99:abort_on_error=0${2:+:log_path=$2/report}"
	export ASAN_OPTIONS="$common:detect_leaks=1:detect_stack_use_after_return=1"
	export UBSAN_OPTIONS="$common:halt_on_error=1:print_stacktrace=1"
	export TSAN_OPTIONS="$common:halt_on_error=1:second_deadlock_stack=1"
	case $1 in
	asan | tsan)	export SLUICE_SLOW=3 ;;
	*)		export SLUICE_SLOW=1 ;;
	esac

	# Older sanitizers cannot place their shadow where addresses are more
	# random than they knew.
	calm=
	test "$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0)" -le 28 ||
	    calm="setarch -R"
}

# --- The tiers.

tier_lint() {
	for script in tests/lint/*; do
		test -x "$script" || continue
		if "$script" >"$logs/${script##*/}.log" 2>&1; then
			record 1 0 0
		else
			record 0 1 0
			{ echo "$script:"; cat "$logs/${script##*/}.log"; } |
			    show
		fi
	done
}

tier_unit() {
	test -n "$(find tests/unit -name 'test_*.c' 2>/dev/null)" || return
	variant=$1
	build VARIANT="$variant" unit
	sanitizers "$variant"
	export calm logs variant
	printf '%s\n' tests/unit/*/test_*.c |
	    xargs -P "$cpus" -n 1 tests/run.sh one-unit
	for source in tests/unit/*/test_*.c; do
		count_unit "$source"
	done
}

unit_log() {
	echo "$logs/$(echo "${1#tests/unit/}" | tr / -).log"
}

# One cmocka program.
one_unit() {
	program=build/$variant/${1#tests/}
	program=${program%.c}
	test -x "$program" || return 0
	log=$(unit_log "$1")
	CMOCKA_MESSAGE_OUTPUT=TAP $calm timeout -k 5 $((60 * SLUICE_SLOW)) \
	    "$program" >"$log" 2>&1 </dev/null
	echo $? >"$log.status"
}

# Counts its test points.  A program that dies, leaks or hangs fails even when
# all its points were fine.
count_unit() {
	log=$(unit_log "$1")
	test -e "$log.status" || return
	status=$(cat "$log.status")
	skipped=$(grep -cE '^(not )?ok [0-9]+.* # SKIP' "$log")
	failed=$(grep -E '^not ok [0-9]' "$log" | grep -vc '# SKIP')
	passed=$(grep -E '^ok [0-9]' "$log" | grep -vc '# SKIP')
	test "$status" -eq 0 || test "$failed" -gt 0 || failed=1
	record "$passed" "$failed" "$skipped"
	test "$failed$skipped" = 00 || {
		echo "$1: exit status $status"
		grep -vE '^ok |^1\.\.' "$log" | head -n 40
	} | show
}

# A sanitizer's report goes to a file of its own and counts as a failure: nobody
# can overlook it, not even a test that does not look at how the daemon ended.
tier_integration() {
	test -n "$(find tests/integration -name 'test_*.py' 2>/dev/null)" || return
	build VARIANT="$1" all || return
	reports=$PWD/$logs/reports
	mkdir -m 1777 "$reports"
	sanitizers "$1" "$reports"
	case $1 in
	release)	binary=build/sluice; marks= ;;
	tsan)		binary=build/tsan/sluice; marks=threads ;;
	*)		binary=build/$1/sluice; marks="not plain" ;;
	esac
	log=$logs/pytest.log
	results=$PWD/$logs/pytest.xml
	SLUICE=$PWD/$binary PYTHONPYCACHEPREFIX=$PWD/build/pycache $calm \
	    timeout -k 10 1800 "$python" -m pytest tests/integration \
	    -p no:cacheprovider -n "${PYTEST_JOBS:-8}" --dist loadgroup \
	    --durations=10 \
	    --timeout $((120 * SLUICE_SLOW)) -m "$marks" -q -ra --tb=short \
	    --color=no --junitxml="$results" >"$log" 2>&1 </dev/null
	status=$?

	# 5: no test has the mark.
	test $status -ne 5 || return
	counts=$("$python" - "$results" 2>/dev/null <<-'END'
	import sys, xml.etree.ElementTree as tree
	n = [0, 0, 0]
	for case in tree.parse(sys.argv[1]).iter("testcase"):
	    kinds = {child.tag for child in case}
	    n[1 if kinds & {"failure", "error"} else 2 if "skipped" in kinds
	      else 0] += 1
	print(*n)
	END
	) || counts="0 0 0"
	# shellcheck disable=SC2086 # three words
	set -- $counts
	test $status -eq 0 || test "$2" -gt 0 || set -- "$1" 1 "$3"
	record "$@"
	sed -n '/ short test summary /,$p' "$log" | grep -E '^(FAILED|ERROR|SKIP)' |
	    show
	test "$2" -eq 0 || echo "the whole story is in $log" | show
	for report in "$reports"/*; do
		test -s "$report" || continue
		record 0 1 0
		{ echo "a sanitizer's report:"; head -n 40 "$report"; } | show
	done
}

tier_fuzz() {
	test -n "$(find tests/fuzz -name 'fuzz_*.c' 2>/dev/null)" || return
	build VARIANT=fuzz fuzzers
	sanitizers fuzz
	export calm logs
	for source in tests/fuzz/fuzz_*.c; do
		name=$(basename "$source" .c)
		test ! -x "build/fuzz/$name" || echo "$name"
	done | xargs -r -P "$cpus" -n 1 tests/run.sh one-fuzzer
	for log in "$logs"/fuzz_*.log; do
		name=$(basename "$log" .log)
		if test -e "$logs/$name.passed"; then
			record 1 0 0
		else
			record 0 1 0
			{ echo "$name:"; tail -n 40 "$log"; } | show
		fi
	done
}

# One fuzzer.  What it finds out is kept in build/; the seeds are only read.
one_fuzzer() {
	found=build/fuzz/corpus/$1
	seeds=tests/fuzz/corpus/${1#fuzz_}
	words=tests/fuzz/${1#fuzz_}.dict
	mkdir -p "$found"
	test -d "$seeds" || seeds=
	test -e "$words" && words=-dict=$words || words=
	# shellcheck disable=SC2086 # what is empty shall not be a word
	$calm "build/fuzz/$1" -max_total_time="${FUZZ_TIME:-20}" -timeout=10 \
	    -rss_limit_mb=2048 -artifact_prefix="$logs/$1-" $words \
	    "$found" $seeds >"$logs/$1.log" 2>&1 </dev/null &&
	    : >"$logs/$1.passed"
	return 0
}

tier_compilers() {
	for compiler in gcc clang; do
		build BUILD="build/by-$compiler" CC="$compiler" all &&
		    record 1 0 0
	done
	build VARIANT=debug all && record 1 0 0
	build BUILD=build/no-openssl OPENSSL=no all && record 1 0 0
	build BUILD=build/no-seccomp SECCOMP=no all && record 1 0 0
	build BUILD=build/no-cares CARES=no all unit && record 1 0 0
	for source in tests/unit/config/test_*.c; do
		program=$(basename "$source" .c)
		"build/no-cares/release/unit/config/$program" \
		    >"$logs/$program.log" 2>&1 && record 1 0 0 && continue
		record 0 1 0
		{ echo "$program:"; tail -n 40 "$logs/$program.log"; } | show
	done
}

# One test a case; the matrix itself stays in build/faults/.
tier_faults() {
	build VARIANT=faults all || return
	sanitizers faults
	tests/faults/run ${FAULTS_STEP:+--step "$FAULTS_STEP"} \
	    >"$logs/matrix.log" 2>&1 </dev/null
	# shellcheck disable=SC2046 # two words
	set -- $(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed.*/\1 \2/p' \
	    "$logs/matrix.log")
	record "${1:-0}" "${2:-1}" 0
	grep -vE '^( |FAILED)' "$logs/matrix.log" | show
	grep -A14 '^FAILED' "$logs/matrix.log" | head -n 60 | show
}

# --- The run.

case $1 in
one-unit)	one_unit "$2"; exit ;;
one-fuzzer)	one_fuzzer "$2"; exit ;;
esac

all_counts=
for tier in "$@"; do
	logs=build/check/$tier
	rm -rf "$logs"
	mkdir -p "$logs"
	start=$(date +%s)
	# A subshell: a tier's environment is its own.
	case $tier in
	lint | fuzz | compilers | faults)	(tier_"$tier") ;;
	unit-* | integration-*)		(tier_"${tier%%-*}" "${tier#*-}") ;;
	*)				echo "no such tier: $tier" >&2; exit 1 ;;
	esac
	test -e "$logs/counts" || continue
	all_counts="$all_counts $logs/counts"
	awk -v tier="$tier" -v seconds=$(($(date +%s) - start)) '
		{ ok += $1; bad += $2; skip += $3 }
		END { printf "  %-20s %5d ok %5d not ok %5d skipped %5d s\n",
		    tier, ok, bad, skip, seconds }' "$logs/counts"
	test ! -e "$logs/notes" || cat "$logs/notes"
done

# shellcheck disable=SC2086 # a list of files
cat /dev/null $all_counts | awk '
	{ passed += $1; failed += $2; skipped += $3 }
	END { printf "%d passed, %d failed, %d skipped\n",
	    passed, failed, skipped; exit failed > 0 }'
