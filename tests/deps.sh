#!/bin/sh
# Installs the packages that are missing: deps.sh build|test
#
# Nothing missing: does nothing, and asks no network.  Root on Debian and its
# relatives: installs.  Anybody else: is told the one command to paste.
set -u

policy=/usr/sbin/policy-rc.d
ours='# While sluice installs what its tests need.'
PATH=$PATH:/usr/sbin:/sbin

# One row a package: its name, and a command that succeeds where the machine
# has what we want of it, wherever that came from.  CARES=no, OPENSSL=no and
# SECCOMP=no want nothing, as in the Makefile, which exports them from its command
# line.
build_packages() {
	cat <<-'END'
	gcc           have ${CC:-cc}
	libc6-dev     test -e /usr/include/stdio.h
	make          have make
	pkg-config    have pkg-config
	libevent-dev  pkg-config --exists libevent_core libevent_extra libevent_pthreads
	libinih-dev   pkg-config --exists inih
	libc-ares-dev test "${CARES-}" = no || pkg-config --exists libcares
	libssl-dev    test "${OPENSSL-}" = no || pkg-config --exists openssl
	libseccomp-dev test "${SECCOMP-}" = no || pkg-config --exists libseccomp
	END
}

# Tools for building the tests, then the peers that the tests talk to.
test_packages() {
	cat <<-'END'
	clang                 have clang
	libclang-rt-dev       installed libclang-rt-dev || clang_links
	llvm                  have llvm-symbolizer
	libcmocka-dev         pkg-config --exists cmocka
	git                   have git
	python3               test -x /usr/bin/python3
	python3-pytest        python_has pytest
	python3-pytest-xdist  python_has xdist
	python3-pytest-timeout python_has pytest_timeout
	haproxy               have haproxy
	nginx-light           have nginx
	libnginx-mod-stream   installed libnginx-mod-stream
	socat                 have socat
	knot                  have knotd
	redis-server          have redis-server
	redis-tools           have redis-benchmark
	postgresql            test -n "$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null)"
	openssh-server        have sshd
	openssh-client        have ssh
	openssl               have openssl
	iperf3                have iperf3
	prometheus            have prometheus && have promtool
	wrk                   have wrk
	curl                  have curl
	chromium              have chromium
	iproute2              have ip
	iputils-ping          have ping
	nftables              have nft
	procps                have ps
	psmisc                have fuser
	strace                have strace
	faketime              have faketime
	jq                    have jq
	logrotate             have logrotate
	mandoc                have mandoc
	xz-utils              have xz
	zsh                   have zsh
	util-linux            have setpriv
	systemd-container     have systemd-nspawn
	END
}

have() {
	command -v "$1" >/dev/null
}

# Debian's own database where there is one; elsewhere nobody can tell, and the
# test that needs the thing will.
installed() {
	! have dpkg-query ||
	    dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null |
	    grep -qx installed
}

python_has() {
	/usr/bin/python3 -c "import $1" 2>/dev/null
}

clang_links() {
	echo 'int main(void) { return 0; }' |
	    clang -fsanitize=address -x c -o /dev/null - 2>/dev/null
}

missing() {
	while read -r package check; do
		eval "$check" >/dev/null 2>&1 || printf '%s ' "$package"
	done
}

# Packages of daemons start them; a policy that answers 101 forbids it, and the
# machine's own policy comes back whatever happens.
restore_policy() {
	rm -f "$policy"
	test ! -e "$policy.sluice-saved" ||
	    mv "$policy.sluice-saved" "$policy"
}

install_quietly() {
	trap restore_policy EXIT
	trap 'exit 1' HUP INT TERM
	test ! -e "$policy" || grep -q "$ours" "$policy" ||
	    mv "$policy" "$policy.sluice-saved"
	printf '#!/bin/sh\n%s\nexit 101\n' "$ours" >"$policy"
	chmod 755 "$policy"

	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q || echo "deps: trying with the package lists at hand"
	# shellcheck disable=SC2086 # a list of words
	apt-get install -y -q --no-install-recommends $1 </dev/null
}

case "${1-}" in
build)	wanted=$(build_packages | missing) ;;
test)	wanted=$( (build_packages; test_packages) | missing) ;;
*)	echo "usage: tests/deps.sh build|test" >&2; exit 1 ;;
esac

wanted=${wanted% }
test -n "$wanted" || exit 0

if ! have apt-get; then
	echo "deps: missing (by their Debian names): $wanted"
	exit 1
elif test "$(id -u)" = 0; then
	echo "deps: installing $wanted"
	install_quietly "$wanted"
else
	# The test packages bring daemons: only this script keeps them quiet.
	case $1 in
	build)	command="apt-get install -y --no-install-recommends $wanted" ;;
	test)	command="$(cd "$(dirname "$0")" && pwd)/deps.sh test" ;;
	esac
	have sudo && command="sudo $command" || command="su -c '$command'"
	echo "deps: missing $wanted; as an administrator run"
	echo "    $command"
	exit 1
fi
