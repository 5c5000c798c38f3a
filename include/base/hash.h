/* Numbers that stand for bytes: the same on every machine, in every build and
 * version, so that two daemons agree.  No secret is in them: whoever chooses
 * the bytes can choose the number as well. */
#ifndef SLUICE_BASE_HASH_H
#define SLUICE_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* FNV-1a (draft-eastlake-fnv), then mixed; another seed gives another
 * number. */
uint64_t hash_bytes(const void *, size_t len, uint64_t seed);

/* Spreads a number: each bit of it changes half of the answer's, and no two
 * have the same one (the finalizer of SplitMix64; Steele, Lea and Flood 2014).
 */
uint64_t hash_mix(uint64_t);

#endif
