# Sluice: `make help` lists the targets.
#
# One build directory a variant: `make VARIANT=asan` builds build/asan/sluice;
# without VARIANT it is the release, build/sluice.  CC, CFLAGS, CPPFLAGS and
# LDFLAGS are respected: they come after our own flags.

VERSION := 0.1.0
VARIANT := release
BUILD := build
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
DATADIR ?= $(PREFIX)/share
MANDIR ?= $(DATADIR)/man
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
PKG_CONFIG ?= pkg-config

# Optional libraries are used where they are found; CARES=no, OPENSSL=no and
# SECCOMP=no do without.
CARES ?= $(if $(shell $(PKG_CONFIG) --exists libcares 2>/dev/null && \
	echo yes),yes,no)
OPENSSL ?= $(if $(shell $(PKG_CONFIG) --exists openssl 2>/dev/null && \
	echo yes),yes,no)
SECCOMP ?= $(if $(shell $(PKG_CONFIG) --exists libseccomp 2>/dev/null && \
	echo yes),yes,no)

# --- What there is to build: found, not listed.

# A layer may use the layers to its right, and nothing to its left.
LAYERS := control proxy config net proto base

O := $(BUILD)/$(VARIANT)
BIN := $(if $(filter release,$(VARIANT)),$(BUILD),$(O))/sluice
layers := $(foreach l,$(LAYERS),$(if $(wildcard src/$l/*.c),$l))
left_out := $(if $(filter yes,$(CARES)),src/control/resolver_threads.c,\
	src/control/resolver_ares.c src/control/reply_ares.c) $(if $(filter yes,$(OPENSSL)),\
	src/control/check_tls_none.c,src/control/check_tls.c) \
	$(if $(filter yes,$(SECCOMP)),src/control/callfilter_none.c,\
	src/control/callfilter.c)
objects = $(patsubst src/%.c,$(O)/%.o,$(filter-out $(left_out),$(wildcard \
	src/$1/*.c)))
archives = $(patsubst %,$(O)/lib%.a,$1)

# The layer $1 and those below it, of the list $2.
from = $(if $2,$(if $(filter $1,$(firstword $2)),$2,$(call \
	from,$1,$(wordlist 2,$(words $2),$2))))
below = $(call archives,$(filter $(layers),$(call from,$1,$(LAYERS))))

UNIT := $(patsubst tests/%.c,$(O)/%,$(wildcard tests/unit/*/test_*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(O)/%,$(wildcard tests/fuzz/fuzz_*.c))

# --- How.

# The sanitizers are clang's, so that every check compiles with both.
ifeq ($(origin CC),default)
CC := $(if $(filter asan tsan fuzz,$(VARIANT)),clang,cc)
endif
clang := $(findstring clang,$(shell $(CC) --version 2>/dev/null))

# GNU ar needs gcc's plugin to index LTO objects; clang would need its own
# linker on top, and goes without LTO.
AR := $(if $(clang),ar,gcc-ar)
lto := $(if $(clang),,-flto=auto)

fortify := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
# The sanitizers see more than the fortified functions let them.
sanitize := -O1 -g -fno-omit-frame-pointer -U_FORTIFY_SOURCE
undefined := -fsanitize=address,undefined -fno-sanitize-recover=undefined

flags_release := -O2 -g $(lto) $(fortify)
# gcc guesses more about lengths when it optimizes less, or sanitizes.
no_guesses := $(if $(clang),,-Wno-format-truncation)
flags_debug := -O1 -g $(fortify) $(no_guesses)
flags_asan := $(sanitize) $(undefined)
flags_faults := $(sanitize) $(undefined) $(no_guesses)
flags_tsan := $(sanitize) -fsanitize=thread
flags_fuzz := $(sanitize) $(undefined) -fsanitize=fuzzer-no-link

PACKAGES := libevent_core libevent_extra libevent_pthreads inih \
	$(if $(filter yes,$(CARES)),libcares) \
	$(if $(filter yes,$(OPENSSL)),openssl) \
	$(if $(filter yes,$(SECCOMP)),libseccomp)
LIBS := $(shell $(PKG_CONFIG) --libs $(PACKAGES) 2>/dev/null)
need_libs = $(if $(LIBS),,$(error libevent or inih is missing; run: make deps))
features = -DSLUICE_CARES=$(if $(filter yes,$(CARES)),1,0) \
	-DSLUICE_OPENSSL=$(if $(filter yes,$(OPENSSL)),1,0) \
	-DSLUICE_CRASH=$(if $(filter release debug,$(VARIANT)),1,0)

compile = $(CC) -std=c11 -D_GNU_SOURCE -DSLUICE_VERSION='"$(VERSION)"' \
	-DSLUICE_INIH='"$(shell $(PKG_CONFIG) --modversion inih 2>/dev/null)"' \
	$(features) \
	-Iinclude -Wall -Wextra -Wshadow -Wcast-qual -Wmissing-prototypes \
	-Werror -fPIC -fstack-protector-strong -pthread $(flags_$(VARIANT)) \
	$(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null) \
	$(CPPFLAGS) $(CFLAGS)
compile := $(compile)
depend = -MMD -MP -MF $@.d -MT $@
link := -pie -Wl,--build-id=sha1 -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS)

Q := $(if $(V),,@)

.SECONDEXPANSION:
.SECONDARY:
.DELETE_ON_ERROR:

##all		build build/sluice (the default; V=1 shows the commands)
all: $(BIN)

$(BIN): $(O)/main.o $(call archives,$(layers))
	@echo "  LINK  $@"
	$Q$(compile) $(link) -o $@ $^ $(LIBS)

# Here allocations and system calls fail on demand: libc's names are taken by
# functions that the libraries have to see as well.  gcc has its sanitizers in
# libraries, which come behind the executable's own functions.
ifeq ($(VARIANT),faults)
$(BIN): $(O)/faults.o
$(BIN): link += -rdynamic
$(O)/faults.o: tests/faults/faults.c $(O)/flags
	@echo "  CC    $<"
	@mkdir -p $(@D)
	$Q$(compile) -fno-sanitize=all $(depend) -c -o $@ $<
endif

# The folder is named so that a file that leaves it leaves the archive too.
$(O)/lib%.a: $$(call objects,$$*) src/%
	@echo "  AR    $@"
	$Qrm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

$(O)/%.o: src/%.c $(O)/flags
	$(need_libs)
	@echo "  CC    $<"
	@mkdir -p $(@D)
	$Q$(compile) $(build_id) $(depend) -c -o $@ $<

# Linked with its own layer and those below: what reaches up does not link.
$(O)/unit/%: tests/unit/%.c $(O)/flags $$(call below,$$(*D))
	@echo "  TEST  $@"
	@mkdir -p $(@D)
	$Q$(compile) -iquote src/$(*D) $(depend) $(link) -o $@ $< \
		$(filter %.a,$^) -lcmocka $(if $(filter base/% proto/%,$*),,$(LIBS))

# Its sockets are played by the fuzzer.
$(O)/fuzz_session: link += $(patsubst %,-Wl$(comma)--wrap=%,recv send \
	shutdown close socket connect getsockopt getpeername setsockopt ioctl \
	splice pipe2 fcntl clock_ms)
comma := ,

$(O)/fuzz_%: tests/fuzz/fuzz_%.c $(O)/flags $(call archives,$(layers))
	@echo "  FUZZ  $@"
	$Q$(compile) $(depend) $(link) -fsanitize=fuzzer -o $@ $< \
		$(filter %.a,$^) $(LIBS)

# What the measurements of tests/bench load the proxies with.
LOAD := $(dir $(BIN))load
$(LOAD): $(wildcard tests/bench/load/*.[ch]) $(O)/flags
	@echo "  LINK  $@"
	$Q$(compile) $(link) -o $@ $(filter %.c,$^)

load: $(LOAD)

# What it costs to choose a server.
PICKS := $(dir $(BIN))picks
$(PICKS): $(wildcard tests/bench/picks/*.c) $(O)/flags $(call below,proxy)
	@echo "  LINK  $@"
	$Q$(compile) $(depend) $(link) -o $@ $(filter %.c %.a,$^) $(LIBS)

picks: $(PICKS)

# Prints what is written down of the option table.
$(O)/papers: tests/lint/papers.c $(O)/flags $(call below,config)
	$(need_libs)
	@echo "  LINK  $@"
	$Q$(compile) -iquote src/config $(depend) $(link) -o $@ $< \
		$(filter %.a,$^) $(LIBS)

unit: $(UNIT)
fuzzers: $(FUZZERS)

# Files that hold a text and change only with it: other flags, another
# compiler, another commit rebuild what depends on them.
$(O)/flags: text = $(compile) $(link) $(LIBS)
$(O)/build_id: text = $(BUILD_ID)
$(O)/flags $(O)/build_id: FORCE
	@mkdir -p $(@D)
	@echo $(call quote,$(text)) | cmp -s - $@ || \
		echo $(call quote,$(text)) >$@
quote = '$(subst ','\'',$1)'

# Only the files that say the build's id depend on it.
# Root, who installs, is told it for another's clone too: else he builds anew.
BUILD_ID := $(shell test -e .git && git -c safe.directory='*' \
	--no-optional-locks describe --always --dirty --tags 2>/dev/null || \
	echo $(VERSION))
says_id := $(shell grep -ls SLUICE_BUILD src/main.c src/*/*.c)
says_id := $(patsubst src/%.c,$(O)/%.o,$(says_id))
ifneq ($(says_id),)
$(says_id): $(O)/build_id
$(says_id): build_id = -DSLUICE_BUILD='"$(BUILD_ID)"'
endif

-include $(wildcard $(O)/*.d $(O)/*/*.d $(O)/unit/*/*.d)

# --- Dependencies and running.

jobs = -j$(shell nproc)

##deps		install what the build needs (as root, and only what is missing)
deps:
	@tests/deps.sh build

##deps-test	install what the tests need: tools, and the peers to talk to
deps-test:
	@tests/deps.sh test

##run		deps, build, and start with conf/proxy.ini (or ARGS="...")
run: ARGS ?= -c conf/proxy.ini
run: deps
	@$(MAKE) --no-print-directory $(jobs) all
	@exec $(BIN) $(ARGS)

# --- Tests: tests/run.sh knows how, here is what.

tiers := lint \
	integration-release \
	unit-asan integration-asan \
	unit-tsan integration-tsan \
	fuzz

##check		everything that a change has to pass; TIERS="lint unit-asan" is a part
check: FUZZ_TIME ?= 8
check: TIERS ?= $(tiers)
check: deps-test
	@FUZZ_TIME=$(FUZZ_TIME) tests/run.sh $(TIERS)

##check-all	check with longer fuzzing, builds by gcc and clang, every fault
check-all: FUZZ_TIME ?= 120
check-all: deps-test
	@FUZZ_TIME=$(FUZZ_TIME) tests/run.sh compilers unit-release $(tiers) faults

##fuzz		fuzz long: each target FUZZ_TIME=600 seconds
fuzz: FUZZ_TIME ?= 600
fuzz: deps-test
	@FUZZ_TIME=$(FUZZ_TIME) tests/run.sh fuzz

##lint		the house rules alone
lint:
	@tests/run.sh lint

##papers	print conf/proxy.full.ini and the options in conf/proxy.ini.5 anew
papers: $(O)/papers
	$< ini >$(O)/paper.new && cp $(O)/paper.new conf/proxy.full.ini
	$< man <conf/proxy.ini.5 >$(O)/paper.new && \
		cp $(O)/paper.new conf/proxy.ini.5

##bench		compare with other proxies; BENCH="-r 30 -w pingpong" (--help tells)
##soak		an hour under load, or SOAK_TIME seconds
bench soak:
	@test -x tests/$@/run || { echo "make $@: no tests/$@/run yet"; exit 1; }
	@$(MAKE) --no-print-directory $(jobs) deps-test
	@$(MAKE) --no-print-directory $(jobs) all
	@SLUICE=$(CURDIR)/$(BIN) tests/$@/run $(if $(filter bench,$@),$(BENCH))

# --- Installing.

doc := $(DATADIR)/doc/sluice
completions := $(DATADIR)/bash-completion/completions
config = $(DESTDIR)$(SYSCONFDIR)/sluice/proxy.ini
logrotate = $(DESTDIR)$(SYSCONFDIR)/logrotate.d/sluice

# Source:target.
files := \
	README.md:$(doc)/README.md \
	conf/proxy.ini:$(doc)/proxy.ini \
	conf/proxy.full.ini:$(doc)/proxy.full.ini \
	conf/proxy.ini.5:$(MANDIR)/man5/proxy.ini.5 \
	conf/sluice.8:$(MANDIR)/man8/sluice.8 \
	conf/sluice.service:$(UNITDIR)/sluice.service \
	conf/sluice.socket:$(doc)/sluice.socket \
	conf/sluice.sysusers:$(SYSUSERSDIR)/sluice.conf \
	conf/completion/sluice.bash:$(completions)/sluice \
	conf/completion/_sluice:$(DATADIR)/zsh/site-functions/_sluice
source = $(firstword $(subst :, ,$1))
target = $(DESTDIR)$(lastword $(subst :, ,$1))

# The unit is written for the default paths.
paths := s,/usr/local/bin/,$(PREFIX)/bin/,;s,/etc/sluice/,$(SYSCONFDIR)/sluice/,

# Not while a package is made, and not by whom it would be refused.
on_this_machine = test -z "$(DESTDIR)" && test "$$(id -u)" = 0
have = command -v $1 >/dev/null

make_user = if $(call have,systemd-sysusers); then \
		systemd-sysusers $(SYSUSERSDIR)/sluice.conf; \
	elif $(call have,useradd); then \
		useradd --system --user-group --no-create-home --home-dir / \
			--shell /usr/sbin/nologin sluice; \
	else \
		echo "make a system user for the daemon: sluice"; \
	fi
reload_units = if test -d /run/systemd/system; then \
		systemctl daemon-reload; fi
is_our_unit = test "$$(systemctl show -P FragmentPath sluice.service \
	2>/dev/null)" -ef $(UNITDIR)/sluice.service

##install		to PREFIX=/usr/local; a proxy.ini that is there stays
install: all
	install -D -m 755 $(BIN) $(DESTDIR)$(PREFIX)/bin/sluice
	$(foreach f,$(files),install -D -m 644 $(call source,$f) \
		$(call target,$f) &&) true
	sed -i '$(paths)' $(DESTDIR)$(UNITDIR)/sluice.service
	test -e $(config) || install -D -m 644 conf/proxy.ini $(config)
	test -e $(logrotate) || install -D -m 644 conf/logrotate $(logrotate)
	@if $(on_this_machine); then \
		id sluice >/dev/null 2>&1 || { $(make_user); } && \
		$(reload_units); \
	fi

##uninstall	what install put there; the configuration, logs and user stay
uninstall:
	@if $(on_this_machine) && $(is_our_unit); then \
		systemctl disable --now sluice.service; \
	fi
	rm -f $(DESTDIR)$(PREFIX)/bin/sluice \
		$(foreach f,$(files),$(call target,$f))
	! cmp -s conf/logrotate $(logrotate) || rm $(logrotate)
	test ! -d $(DESTDIR)$(doc) || \
		rmdir --ignore-fail-on-non-empty $(DESTDIR)$(doc)
	@if $(on_this_machine); then $(reload_units); fi

##clean		all that was built
clean:
	rm -rf build

##help		this list
help:
	@sed -n 's/^##//p' Makefile

FORCE:
.PHONY: all deps deps-test run check check-all bench fuzz soak lint install \
	uninstall help clean load picks unit fuzzers papers FORCE
