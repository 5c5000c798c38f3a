#include "base/hash.h"

uint64_t
hash_mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

uint64_t
hash_bytes(const void *data, size_t len, uint64_t seed)
{
	uint64_t hash = 0xcbf29ce484222325 ^ seed;
	const uint8_t *bytes = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3;
	return hash_mix(hash);
}
