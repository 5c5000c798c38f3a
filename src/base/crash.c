#include "base/crash.h"

#include <assert.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"

#define BUILD_ID    20 /* bytes, of SHA-1 */
#define FAULT_STACK (64 * 1024)
#define FORM_BITS   2
#define ASSERTION   512 /* bytes of one, at most */
#define PATIENCE_MS 1000 /* with another thread that tells of its own */

#if defined(__x86_64__)
#define PC(context) ((uintptr_t)(context)->uc_mcontext.gregs[REG_RIP])
#elif defined(__aarch64__)
#define PC(context) ((uintptr_t)(context)->uc_mcontext.pc)
#else
#define PC(context) ((void)(context), (uintptr_t)0)
#endif

static const struct {
	int	    number;
	const char *name;
} SIGNALS[] = {
	{ SIGSEGV, "SIGSEGV" },
	{ SIGBUS, "SIGBUS" },
	{ SIGILL, "SIGILL" },
	{ SIGFPE, "SIGFPE" },
	{ SIGABRT, "SIGABRT" },
};

static struct {
	atomic_int	     log; /* fd and form; one word, so that they match */
	atomic_int	     teller; /* the first thread that crashed; 0: none */
	bool		     journal;
	uintptr_t	     begin, end; /* of our code and data in memory */
	const char	    *build;
	uint8_t		     id[BUILD_ID];
	size_t		     id_len;
	struct rawtext	     assertion; /* that failed; none: empty */
} crash = {
	.log = STDERR_FILENO << FORM_BITS | CRASH_PLAIN,
};

/* --- what there is to say */

static void
say_signal(struct rawtext *t, int number)
{
	rawtext_add(t, "signal ");
	rawtext_number(t, (unsigned)number, 10, 1);
	for (size_t i = 0; i < sizeof(SIGNALS) / sizeof(SIGNALS[0]); i++) {
		if (SIGNALS[i].number != number)
			continue;
		rawtext_add(t, " (");
		rawtext_add(t, SIGNALS[i].name);
		rawtext_add(t, ")");
	}
}

/* Where from: sigaction(2), si_code. */
static void
say_cause(struct rawtext *t, const siginfo_t *info)
{
	if (info->si_code > 0) {
		rawtext_add(t, " at 0x");
		rawtext_number(t, (uintptr_t)info->si_addr, 16, 1);
	} else if (info->si_pid != getpid()) {
		rawtext_add(t, " sent by process ");
		rawtext_number(t, (uint64_t)info->si_pid, 10, 1);
	}
	if (crash.assertion.len > 0) {
		rawtext_add(t, ", ");
		rawtext_add(t, crash.assertion.text);
	}
}

/* As addr2line(1) takes it, with the file that has this build's id. */
static void
say_pc(struct rawtext *t, uintptr_t pc)
{
	if (pc >= crash.begin && pc < crash.end) {
		rawtext_add(t, ", pc 0x");
		rawtext_number(t, pc - crash.begin, 16, 1);
	} else if (pc != 0) {
		rawtext_add(t, ", pc in a library 0x");
		rawtext_number(t, pc, 16, 1);
	}
}

static void
say_build(struct rawtext *t)
{
	rawtext_add(t, ", ");
	rawtext_add(t, crash.build);
	if (crash.id_len > 0)
		rawtext_add(t, ", build id ");
	for (size_t i = 0; i < crash.id_len; i++)
		rawtext_number(t, crash.id[i], 16, 2);
}

/* --- where it goes */

/* Who does not read what we say is not waited for: a daemon that ends is started
 * again, one that hangs is not. */
static void
put(int fd, const struct rawtext *t)
{
	struct pollfd takes = { fd, POLLOUT, 0 };

	if (poll(&takes, 1, 0) <= 0 || write(fd, t->text, t->len) < 0)
		return; /* nobody is left to tell */
}

static void
put_fields(struct rawtext *t, bool json, const char *text)
{
	char time[CLOCK_TEXT];

	rawtext_add(t, json ? "{\"time\":\"" : "time=");
	rawtext_add(t, clock_text(clock_wall(), time));
	rawtext_add(t, json ? "\",\"level\":\"error\",\"msg\":\"" :
	    " level=error msg=\"");
	rawtext_add(t, text);
	rawtext_add(t, json ? "\"}\n" : "\"\n");
}

static void
put_line(int fd, enum crash_form form, const char *text)
{
	struct rawtext t = { .len = 0 };

	if (fd == STDERR_FILENO && crash.journal)
		rawtext_add(&t, "<3>");
	switch (form) {
	case CRASH_PLAIN:
		rawtext_add(&t, "sluice: ");
		rawtext_add(&t, text);
		rawtext_add(&t, "\n");
		break;
	case CRASH_LOGFMT:
	case CRASH_JSON:
		put_fields(&t, form == CRASH_JSON, text);
		break;
	case CRASH_SYSLOG:
		rawtext_add(&t, "<27>sluice["); /* LOG_DAEMON | LOG_ERR */
		rawtext_number(&t, (uint64_t)getpid(), 10, 1);
		rawtext_add(&t, "]: ");
		rawtext_add(&t, text);
		break;
	}
	put(fd, &t);
}

static void
put_lines(const char *text)
{
	int log = atomic_load(&crash.log), fd = log >> FORM_BITS;
	enum crash_form form = log & ((1 << FORM_BITS) - 1);

	if (fd != STDERR_FILENO)
		put_line(STDERR_FILENO, CRASH_PLAIN, text);
	put_line(fd, form, text);
}

/* --- the signal */

static void
crash_tell(int number, const siginfo_t *info, const void *context)
{
	struct rawtext t = { .len = 0 };

	rawtext_add(&t, "crashed: ");
	say_signal(&t, number);
	say_cause(&t, info);
	rawtext_add(&t, ", thread ");
	rawtext_add(&t, thread_name());
	thread_tell(&t);
	say_pc(&t, PC((const ucontext_t *)context));
	say_build(&t);
	t.text[t.len < RAWTEXT ? t.len : RAWTEXT - 1] = '\0';
	put_lines(t.text);
}

/* What one thread broke may have another one crash, too: the end of that one
 * shall not cut the first one's line off.  Signals are blocked while we are here:
 * a crash of our own ends us at once.  With its default action again, and sent
 * once more, ours ends us when we return, where it came; but for process 1, which
 * such a signal does not end (pid_namespaces(7)). */
static void
crash_handle(int number, siginfo_t *info, void *context)
{
	const struct sigaction action = { .sa_handler = SIG_DFL };
	int self = (int)syscall(SYS_gettid), teller = 0;

	if (atomic_compare_exchange_strong(&crash.teller, &teller, self))
		crash_tell(number, info, context);
	else if (teller != self)
		poll(NULL, 0, PATIENCE_MS);
	sigaction(number, &action, NULL);
	syscall(SYS_tgkill, getpid(), self, number);
	if (getpid() == 1 && info->si_code <= 0)
		_exit(128 + number);
}

void
crash_set_log(int fd, enum crash_form form)
{
	atomic_store(&crash.log, fd << FORM_BITS | (int)form);
}

/* --- assertions */

/* What assert(3) calls in glibc, whose own would tell stderr alone: that is
 * nobody in the background.  Quotes would need another form in each log. */
#ifdef __GLIBC__
void
__assert_fail(const char *assertion, const char *file, unsigned line,
    const char *function)
{
	struct rawtext *t = &crash.assertion;

	rawtext_add(t, file);
	rawtext_add(t, ":");
	rawtext_number(t, line, 10, 1);
	rawtext_add(t, ": ");
	rawtext_add(t, function);
	rawtext_add(t, ": Assertion `");
	rawtext_add(t, assertion);
	rawtext_add(t, "' failed");
	if (t->len > ASSERTION)
		t->len = ASSERTION;
	for (size_t i = 0; i < t->len; i++)
		if (t->text[i] == '"' || t->text[i] == '\\')
			t->text[i] = '\'';
	t->text[t->len] = '\0';
	if (!SLUICE_CRASH)
		put_line(STDERR_FILENO, CRASH_PLAIN, t->text);
	abort();
}
#endif

/* --- before */

/* elf(5), Notes: sizes and type, the name, then the description, each on four
 * bytes. */
static void
note_look(const char *note, size_t len)
{
	while (len >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *head = (const void *)note;
		size_t name = sizeof(*head), id = name + (head->n_namesz + 3U) /
		    4 * 4;
		size_t next = id + (head->n_descsz + 3U) / 4 * 4;

		if (next > len)
			return;
		if (head->n_type == NT_GNU_BUILD_ID &&
		    head->n_descsz <= BUILD_ID &&
		    strcmp(note + name, "GNU") == 0) {
			crash.id_len = head->n_descsz;
			memcpy(crash.id, note + id, crash.id_len);
		}
		note += next;
		len -= next;
	}
}

/* The first is the program itself. */
static int
program_look(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size, (void)arg;
	crash.begin = info->dlpi_addr;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t at = info->dlpi_addr + p->p_vaddr;

		if (p->p_type == PT_NOTE)
			note_look((const char *)at, p->p_memsz);
		if (p->p_type == PT_LOAD && at + p->p_memsz > crash.end)
			crash.end = at + p->p_memsz;
	}
	return 1;
}

void
crash_open(const char *build)
{
	static uint8_t stack[FAULT_STACK];
	struct sigaction action = { .sa_sigaction = crash_handle,
		.sa_flags = SA_SIGINFO | SA_ONSTACK };

	if (!SLUICE_CRASH)
		return;
	crash.build = build;
	crash.journal = log_stderr_is_journal();
	dl_iterate_phdr(program_look, NULL);
	thread_fault_stack(stack, sizeof(stack));
	sigfillset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(SIGNALS) / sizeof(SIGNALS[0]); i++)
		sigaction(SIGNALS[i].number, &action, NULL);
}
