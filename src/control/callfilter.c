#include "callfilter.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALL(name) SCMP_SYS(name)
#define END	   (-1) /* of a list */

struct callfilter {
	struct sock_fprog program; /* owned */
};

/* A call that is allowed if an argument is so: (value & mask) == is. */
struct condition {
	int	 call;
	unsigned arg;
	uint64_t mask, is;
};

#define ALL UINT32_MAX /* of an int */

/* Memory, locks, the time, the end of a thread; and what a crash needs to be
 * told about.  What the C library calls by itself is among them: without
 * sched_getaffinity its malloc(3) would take the machine for one of two
 * processors. */
static const int EVERYBODY[] = {
	CALL(read), CALL(write), CALL(readv), CALL(writev), CALL(close),
	CALL(futex), CALL(poll), CALL(ppoll),
	CALL(brk), CALL(munmap), CALL(mremap), CALL(madvise),
	CALL(clock_gettime), CALL(clock_getres), CALL(gettimeofday), CALL(time),
	CALL(nanosleep), CALL(clock_nanosleep), CALL(sched_yield),
	CALL(sched_getaffinity), CALL(getcpu), CALL(sysinfo), CALL(getrandom),
	CALL(getpid), CALL(gettid), CALL(membarrier), CALL(rseq),
	CALL(set_robust_list), CALL(get_robust_list),
	CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn),
	CALL(sigaltstack), CALL(restart_syscall),
	CALL(exit), CALL(exit_group),
	END
};

static const int WORKER[] = {
	CALL(epoll_wait), CALL(epoll_pwait), CALL(epoll_pwait2),
	CALL(epoll_ctl), CALL(timerfd_settime),
	CALL(recvfrom), CALL(sendto), CALL(recvmsg), CALL(sendmsg),
	CALL(recv), CALL(send), CALL(splice), CALL(pipe2),
	CALL(accept), CALL(accept4), CALL(connect), CALL(bind), CALL(listen),
	CALL(shutdown), CALL(getsockopt), CALL(setsockopt),
	CALL(getsockname), CALL(getpeername), CALL(fcntl), CALL(fcntl64),
	END
};

static const int LOG[] = {
	CALL(open), CALL(openat), CALL(fcntl), CALL(fcntl64),
	CALL(stat), CALL(lstat), CALL(fstat), CALL(newfstatat), CALL(statx),
	CALL(stat64), CALL(lstat64), CALL(fstat64), CALL(fstatat64),
	CALL(geteuid), CALL(geteuid32),
	CALL(connect), CALL(sendto), CALL(send),
	END
};

/* No memory is written and then run. */
static const struct condition EVERYBODY_IF[] = {
	{ CALL(mmap), 2, PROT_EXEC, 0 },
	{ CALL(mmap2), 2, PROT_EXEC, 0 },
	{ CALL(mprotect), 2, PROT_EXEC, 0 },
	{ .call = END },
};

static const struct condition WORKER_IF[] = {
	{ CALL(socket), 0, ALL, AF_INET },
	{ CALL(socket), 0, ALL, AF_INET6 },
	{ CALL(socket), 0, ALL, AF_UNIX },
	{ CALL(ioctl), 1, ALL, SIOCOUTQ },
	{ CALL(ioctl), 1, ALL, FIONREAD },
	{ .call = END },
};

static const struct condition LOG_IF[] = {
	{ CALL(socket), 0, ALL, AF_UNIX },
	{ CALL(ioctl), 1, ALL, TCGETS },
	{ .call = END },
};

/* What a daemon never does, and who has taken it over might: look into other
 * processes, change the kernel, the machine, its clock or what is mounted, and
 * leave for calls that no filter sees (io_uring).  A newer binary that this one
 * starts lives with the list, too (seccomp(2)). */
static const int NEVER[] = {
	CALL(ptrace), CALL(process_vm_readv), CALL(process_vm_writev),
	CALL(pidfd_getfd), CALL(kcmp), CALL(perf_event_open), CALL(bpf),
	CALL(userfaultfd), CALL(io_uring_setup), CALL(io_uring_enter),
	CALL(io_uring_register), CALL(lookup_dcookie),
	CALL(kexec_load), CALL(kexec_file_load), CALL(reboot),
	CALL(init_module), CALL(finit_module), CALL(delete_module),
	CALL(mount), CALL(umount), CALL(umount2), CALL(move_mount),
	CALL(fsopen), CALL(fsconfig), CALL(fsmount), CALL(fspick),
	CALL(open_tree), CALL(mount_setattr), CALL(pivot_root), CALL(chroot),
	CALL(unshare), CALL(setns), CALL(open_by_handle_at),
	CALL(swapon), CALL(swapoff), CALL(acct), CALL(quotactl),
	CALL(settimeofday), CALL(clock_settime), CALL(clock_settime64),
	CALL(clock_adjtime), CALL(clock_adjtime64), CALL(adjtimex), CALL(stime),
	CALL(sethostname), CALL(setdomainname), CALL(syslog), CALL(vhangup),
	CALL(iopl), CALL(ioperm), CALL(modify_ldt),
	CALL(keyctl), CALL(add_key), CALL(request_key),
	END
};

/* Nor does a look-up start a program, or become somebody. */
static const int LOOKUP_NEVER[] = {
	CALL(execve), CALL(execveat), CALL(fork), CALL(vfork),
	CALL(setuid), CALL(setgid), CALL(setreuid), CALL(setregid),
	CALL(setresuid), CALL(setresgid), CALL(setfsuid), CALL(setfsgid),
	CALL(setuid32), CALL(setgid32), CALL(setreuid32), CALL(setregid32),
	CALL(setresuid32), CALL(setresgid32), CALL(setgroups),
	CALL(setgroups32), CALL(capset),
	CALL(kill), CALL(tkill), CALL(listen), CALL(accept), CALL(accept4),
	END
};

/* --- making one */

static int
filter_add(scmp_filter_ctx ctx, uint32_t action, const int *calls)
{
	int error = 0;

	for (; error == 0 && *calls != END; calls++)
		error = seccomp_rule_add(ctx, action, *calls, 0);
	return error;
}

static int
filter_allow_if(scmp_filter_ctx ctx, const struct condition *c)
{
	int error = 0;

	for (; error == 0 && c->call != END; c++)
		error = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, c->call, 1,
		    SCMP_CMP64(c->arg, SCMP_CMP_MASKED_EQ, c->mask, c->is));
	return error;
}

/* To end itself, as abort(3) does; but no other process is signalled. */
static int
filter_allow_abort(scmp_filter_ctx ctx)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(tgkill), 1,
	    SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, ALL, (uint64_t)getpid()));
}

static int
filter_allow(scmp_filter_ctx ctx, const int *calls, const struct condition *ifs)
{
	int error = filter_add(ctx, SCMP_ACT_ALLOW, EVERYBODY);

	if (error == 0)
		error = filter_add(ctx, SCMP_ACT_ALLOW, calls);
	if (error == 0)
		error = filter_allow_if(ctx, EVERYBODY_IF);
	if (error == 0)
		error = filter_allow_if(ctx, ifs);
	return error == 0 ? filter_allow_abort(ctx) : error;
}

static int
filter_fill(scmp_filter_ctx ctx, enum sandbox_thread thread)
{
	int error = 0;

	switch (thread) {
	case SANDBOX_WORKER:
		return filter_allow(ctx, WORKER, WORKER_IF);
	case SANDBOX_LOG:
		return filter_allow(ctx, LOG, LOG_IF);
	case SANDBOX_LOOKUP:
		error = filter_add(ctx, SCMP_ACT_ERRNO(EPERM), LOOKUP_NEVER);
		break;
	case SANDBOX_MAIN:
	case SANDBOX_THREADS:
		break;
	}
	return error == 0 ? filter_add(ctx, SCMP_ACT_ERRNO(EPERM), NEVER) :
	    error;
}

/* As the kernel wants it; libseccomp only writes it to a file. */
static int
program_read(struct sock_fprog *program, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	program->filter = malloc((size_t)st.st_size);
	if (program->filter == NULL)
		return -ENOMEM;
	program->len = (unsigned short)((size_t)st.st_size /
	    sizeof(struct sock_filter));
	if (pread(fd, program->filter, (size_t)st.st_size, 0) != st.st_size)
		return -EIO;
	return 0;
}

static int
program_make(struct sock_fprog *program, scmp_filter_ctx ctx)
{
	int fd = memfd_create("filter", MFD_CLOEXEC), error;

	if (fd < 0)
		return -errno;
	error = seccomp_export_bpf(ctx, fd);
	if (error == 0)
		error = program_read(program, fd);
	close(fd);
	return error;
}

/* A tree, so that no call is asked about after all others; kernels from 5.11 on
 * do not run a filter for a call that it always allows. */
static int
program_new(struct sock_fprog *program, enum sandbox_thread thread)
{
	bool lists = thread == SANDBOX_WORKER || thread == SANDBOX_LOG;
	scmp_filter_ctx ctx = seccomp_init(lists ? SCMP_ACT_ERRNO(ENOSYS) :
	    SCMP_ACT_ALLOW);
	int error;

	if (ctx == NULL)
		return -ENOMEM;
	error = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
	    SCMP_ACT_ERRNO(ENOSYS));
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (error == 0)
		error = filter_fill(ctx, thread);
	if (error == 0)
		error = program_make(program, ctx);
	seccomp_release(ctx);
	return error;
}

int
callfilter_new(struct callfilter **filter, enum sandbox_thread thread)
{
	struct callfilter *f = calloc(1, sizeof(*f));
	int error = f == NULL ? -ENOMEM : program_new(&f->program, thread);

	if (error < 0) {
		callfilter_free(f);
		f = NULL;
	}
	*filter = f;
	return error;
}

void
callfilter_free(struct callfilter *filter)
{
	if (filter != NULL)
		free(filter->program.filter);
	free(filter);
}

/* No foreign code runs here that would spy on this process by speculation: it
 * is spared what older kernels do against that for each filtered thread, which
 * costs more than the filter.  Kernels before 4.17 know no flags, or not both.
 */
int
callfilter_enter(const struct callfilter *filter)
{
	static const unsigned long FLAGS[] = {
		SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW,
		SECCOMP_FILTER_FLAG_LOG, 0 };
	long result = filter == NULL ? 0 : -1;

	for (size_t i = 0; result < 0 && i < sizeof(FLAGS) / sizeof(*FLAGS);
	    i++) {
		result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, FLAGS[i],
		    &filter->program);
		if (result < 0 && errno != EINVAL)
			break;
	}
	return result < 0 ? -errno : 0;
}

const char *
callfilter_library(void)
{
	static char text[48];
	const struct scmp_version *version = seccomp_version();

	snprintf(text, sizeof(text), "libseccomp %u.%u.%u", version->major,
	    version->minor, version->micro);
	return text;
}
