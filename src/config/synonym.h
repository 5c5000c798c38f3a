/* What other programs call an option of ours. */
#ifndef SLUICE_CONFIG_SYNONYM_H
#define SLUICE_CONFIG_SYNONYM_H

#include <stdbool.h>
#include <stddef.h>

/* The nth key that the word may mean, or NULL: there are no more. */
const char *synonym_find(const char *word, size_t n);

bool synonym_means(const char *word, const char *key);

#endif
