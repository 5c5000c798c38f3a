#include "base/env.h"

#include <stdlib.h>

#include "base/units.h"

bool
env_number(const char *name, uint64_t *number)
{
	const char *text = getenv(name);
	char why[UNITS_WHY];
	uint64_t found;

	if (text == NULL || number_parse(text, &found, why) != NULL)
		return false;
	*number = found;
	return true;
}
