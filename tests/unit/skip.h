/* A skipped test says why: cmocka's skip() has no word for it. */
#ifndef SLUICE_TESTS_SKIP_H
#define SLUICE_TESTS_SKIP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SKIP(why) skip_for(__func__, why)

static inline void
skip_for(const char *test, const char *why)
{
	print_message("# %s: %s\n", test, why);
	skip();
}

#endif
