#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same on every machine (landlock.h of Linux 6.10, of which the one that is
 * built with may know less). */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule	    445
#define SYS_landlock_restrict_self  446
#endif

#define CREATE_VERSION	  1
#define RULE_PATH_BENEATH 1

#define FS_WRITE_FILE (1ULL << 1)
#define FS_READ_FILE  (1ULL << 2)
#define FS_READ_DIR   (1ULL << 3)
#define FS_MAKE_REG   (1ULL << 8)
#define FS_TRUNCATE   (1ULL << 14)
#define FS_IOCTL_DEV  (1ULL << 15)

struct ruleset_attr {
	uint64_t fs; /* what is not allowed but by a rule */
};

struct __attribute__((packed)) path_attr {
	uint64_t allowed;
	int32_t	 folder_fd;
};

/* Of each version, all that it knows (landlock.rst, "Compatibility"). */
static uint64_t
landlock_files(int version)
{
	uint64_t all = (1ULL << 13) - 1;

	if (version >= 2)
		all |= 1ULL << 13; /* REFER */
	if (version >= 3)
		all |= FS_TRUNCATE;
	if (version >= 5)
		all |= FS_IOCTL_DEV;
	return all;
}

static uint64_t
landlock_allowed(enum landlock_may may)
{
	switch (may) {
	case LANDLOCK_READ:
		return FS_READ_FILE | FS_READ_DIR | FS_IOCTL_DEV;
	case LANDLOCK_WRITE:
		return FS_WRITE_FILE | FS_MAKE_REG | FS_TRUNCATE | FS_IOCTL_DEV;
	case LANDLOCK_NOTHING:
		break;
	}
	return 0;
}

int
landlock_version(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    CREATE_VERSION);

	return version > 0 ? (int)version : 0;
}

/* Below the root, which is everywhere. */
static int
landlock_add(int ruleset, uint64_t allowed)
{
	struct path_attr attr = { .allowed = allowed };
	int error = 0;

	attr.folder_fd = open("/", O_PATH | O_CLOEXEC);
	if (attr.folder_fd < 0)
		return -errno;
	if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &attr,
	    0) < 0)
		error = -errno;
	close(attr.folder_fd);
	return error;
}

int
landlock_enter(enum landlock_may may)
{
	int version = landlock_version(), ruleset, error = 0;
	struct ruleset_attr attr = { .fs = landlock_files(version) };
	uint64_t allowed = landlock_allowed(may) & attr.fs;

	if (version == 0)
		return 0;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr,
	    sizeof(attr), 0);
	if (ruleset < 0)
		return -errno;
	if (allowed != 0)
		error = landlock_add(ruleset, allowed);
	if (error == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		error = -errno;
	close(ruleset);
	return error;
}
