#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Written down, since other machines and versions have to agree: a change of
 * these moves every session of balance = hash. */
static void
numbers_stay_what_they_are(void **state)
{
	(void)state;
	assert_true(hash_mix(0) == 0);
	assert_true(hash_mix(1) == 0x5692161d100b05e5);
	assert_true(hash_bytes("", 0, 0) == hash_mix(0xcbf29ce484222325));
	/* FNV-1a's own test vector is 0xaf63dc4c8601ec8c */
	assert_true(hash_bytes("a", 1, 0) == hash_mix(0xaf63dc4c8601ec8c));
	assert_true(hash_bytes("foobar", 6, 0) ==
	    hash_mix(0x85944171f73967e8));
	assert_true(hash_bytes("\0\xff", 2, 7) != hash_bytes("\0\xff", 2, 8));
}

static void
every_bit_moves_half_of_the_others(void **state)
{
	uint64_t flips = 0;

	(void)state;
	for (uint64_t n = 1; n <= 1000; n++)
		for (unsigned bit = 0; bit < 64; bit++)
			flips += (unsigned)__builtin_popcountll(hash_mix(n) ^
			    hash_mix(n ^ UINT64_C(1) << bit));
	assert_in_range(flips, 64000 * 31, 64000 * 33);
}

/* Addresses that follow each other lie all over the place. */
static void
neighbours_are_spread(void **state)
{
	unsigned count[16] = { 0 };

	(void)state;
	for (unsigned n = 0; n < 16000; n++) {
		uint8_t ip[4] = { 10, 0, (uint8_t)(n >> 8), (uint8_t)n };

		count[hash_bytes(ip, 4, 0) % 16]++;
	}
	for (unsigned i = 0; i < 16; i++)
		assert_in_range(count[i], 850, 1150);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_stay_what_they_are),
		cmocka_unit_test(every_bit_moves_half_of_the_others),
		cmocka_unit_test(neighbours_are_spread),
	};

	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
