#include "privileges.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WORDS _LINUX_CAPABILITY_U32S_3

struct sets {
	uint64_t effective, permitted, inheritable;
};

static int
sets_get(struct sets *s)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[WORDS] = { 0 };

	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	for (unsigned i = 0; i < WORDS; i++) {
		s->effective |= (uint64_t)data[i].effective << (32 * i);
		s->permitted |= (uint64_t)data[i].permitted << (32 * i);
		s->inheritable |= (uint64_t)data[i].inheritable << (32 * i);
	}
	return 0;
}

static int
sets_put(const struct sets *s)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[WORDS];

	for (unsigned i = 0; i < WORDS; i++)
		data[i] = (struct __user_cap_data_struct){
			.effective = (uint32_t)(s->effective >> (32 * i)),
			.permitted = (uint32_t)(s->permitted >> (32 * i)),
			.inheritable = (uint32_t)(s->inheritable >> (32 * i)) };
	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

/* What is neither permitted nor inheritable is not ambient either. */
int
privileges_limit(uint64_t most)
{
	struct sets s = { 0 };
	int error = sets_get(&s);

	if (error < 0)
		return error;
	s.effective &= most;
	s.permitted &= most;
	s.inheritable &= most;
	return sets_put(&s);
}

int
privileges_keep(uint64_t wanted)
{
	struct sets s = { 0 };
	int error = sets_get(&s);

	if (error < 0)
		return error;
	s.permitted &= wanted;
	s.effective = s.inheritable = s.permitted;
	error = sets_put(&s);
	/* Not to be had in every container: we can do without. */
	for (unsigned cap = 0; error == 0 && cap < 64; cap++)
		if (s.permitted & PRIVILEGE(cap))
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
	return error;
}

int
privileges_fix(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}
