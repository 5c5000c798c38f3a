#include "bound.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/sock.h"

struct bound_path {
	struct addr addr;
	dev_t	    dev;
	ino_t	    ino;
};

int
bound_add(struct bound *b, const struct addr *addr)
{
	struct bound_path *paths;
	struct stat st;

	if (addr->un.sun_path[0] == '\0' ||
	    lstat(addr->un.sun_path, &st) < 0)
		return 0;
	paths = realloc(b->paths, (b->count + 1) * sizeof(*paths));
	if (paths == NULL)
		return -ENOMEM;
	paths[b->count++] = (struct bound_path){ *addr, st.st_dev, st.st_ino };
	b->paths = paths;
	return 0;
}

static bool
bound_is_there(const struct bound_path *bound)
{
	struct stat st;

	return lstat(bound->addr.un.sun_path, &st) == 0 &&
	    st.st_dev == bound->dev && st.st_ino == bound->ino;
}

/* Who listens there has made it anew, and was given our number: they are used
 * again. */
static void
bound_unlink(const struct bound_path *bound)
{
	if (bound_is_there(bound) &&
	    sock_unlink_stale(&bound->addr) == -EACCES)
		unlink(bound->addr.un.sun_path);
}

void
bound_remove(struct bound *b)
{
	for (size_t i = 0; i < b->count; i++)
		bound_unlink(&b->paths[i]);
	bound_leave(b);
}

void
bound_leave(struct bound *b)
{
	free(b->paths);
	*b = (struct bound){ 0 };
}

void
bound_remove_one(struct bound *b, const struct addr *addr)
{
	for (size_t i = 0; i < b->count; i++)
		if (addr_equal(&b->paths[i].addr, addr)) {
			if (bound_is_there(&b->paths[i]))
				unlink(addr->un.sun_path);
			b->paths[i] = b->paths[--b->count];
			return;
		}
}
