#!/bin/sh
# What is written down of the option table agrees with it: conf/proxy.full.ini,
# the list of conf/proxy.ini.5 and 'sluice --help-config'.  The manuals are
# mdoc(7) that mandoc has nothing to say about.
cd "$(dirname "$0")/../.." || exit 1

make="${MAKE:-make} --no-print-directory -s -j$(nproc)"
$make all build/release/papers >/dev/null || exit 1
papers=build/release/papers
failed=0

wanted=build/release/papers.wanted
said=build/release/papers.said

# agree WHAT FILE: the file is as wanted.
agree() {
	diff -u "$2" $wanted || {
		echo "$1 and src/config/option.c disagree: make papers"
		failed=1
	}
}

$papers ini >$wanted
agree conf/proxy.full.ini conf/proxy.full.ini

$papers man <conf/proxy.ini.5 >$wanted || failed=1
agree conf/proxy.ini.5 conf/proxy.ini.5

build/sluice --help-config | awk '
	/^\[/ { defaults = $1 == "[defaults]" }
	/^    [^ ]/ && !defaults { print substr($0, 5) }' >$said
$papers keys >$wanted
agree "sluice --help-config" $said

if command -v mandoc >/dev/null; then
	for manual in conf/*.[1-9]; do
		mandoc -Tlint -W warning "$manual" || failed=1
	done
else
	echo "mandoc is not there: make deps-test"
	failed=1
fi
exit $failed
