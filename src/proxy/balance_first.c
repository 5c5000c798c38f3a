/* In the order of the lines: the second only when the first is out. */
#include "balance-internal.h"

size_t
balance_first(struct balance *b, const struct balance_ask *ask, bool backup)
{
	for (size_t i = 0; i < b->set->count; i++)
		if (balance_may(b, ask, i, backup))
			return i;
	return BALANCE_NONE;
}
