#include "base/wheel.h"

#include <string.h>

#define SLOT_MASK (WHEEL_SLOTS - 1)

static uint64_t
tick_after(uint64_t ms)
{
	return ms / WHEEL_TICK_MS + (ms % WHEEL_TICK_MS != 0);
}

/* Ticks from the wheel's hand to the next slot in use; WHEEL_SLOTS if empty. */
static uint64_t
wheel_distance(const struct wheel *wheel)
{
	uint64_t hand = wheel->tick & SLOT_MASK;

	for (uint64_t passed = 0; passed < WHEEL_SLOTS;) {
		uint64_t slot = (hand + passed) & SLOT_MASK;
		uint64_t word = wheel->occupied[slot / 64] >> (slot % 64);

		if (word != 0) {
			passed += (uint64_t)__builtin_ctzll(word);
			return passed < WHEEL_SLOTS ? passed : WHEEL_SLOTS;
		}
		passed += 64 - slot % 64;
	}
	return WHEEL_SLOTS;
}

/* Ticks from the wheel's hand to where 'deadline' is kept. */
static uint64_t
wheel_ahead(const struct wheel *wheel, uint64_t deadline)
{
	uint64_t tick = tick_after(deadline);

	if (tick < wheel->tick)
		return 0;
	tick -= wheel->tick;
	return tick < WHEEL_SLOTS ? tick : WHEEL_SLOTS - 1;
}

void
wheel_init(struct wheel *wheel, uint64_t now)
{
	memset(wheel, 0, sizeof(*wheel));
	wheel->tick = tick_after(now);
}

void
wheel_set(struct wheel *wheel, struct wheel_entry *entry, uint64_t deadline)
{
	uint64_t tick = wheel->tick + wheel_ahead(wheel, deadline);

	wheel_clear(wheel, entry);
	entry->slot = (uint32_t)(tick & SLOT_MASK);
	entry->set = true;
	LIST_INSERT_HEAD(&wheel->slots[entry->slot], entry, link);
	wheel->occupied[entry->slot / 64] |= UINT64_C(1) << entry->slot % 64;
}

void
wheel_clear(struct wheel *wheel, struct wheel_entry *entry)
{
	if (!entry->set)
		return;
	LIST_REMOVE(entry, link);
	entry->set = false;
	if (LIST_EMPTY(&wheel->slots[entry->slot]))
		wheel->occupied[entry->slot / 64] &=
		    ~(UINT64_C(1) << entry->slot % 64);
}

bool
wheel_misses(const struct wheel *wheel, const struct wheel_entry *entry,
    uint64_t deadline)
{
	return !entry->set || ((entry->slot - wheel->tick) & SLOT_MASK) >
	    wheel_ahead(wheel, deadline);
}

struct wheel_entry *
wheel_expire(struct wheel *wheel, uint64_t now)
{
	uint64_t last = now / WHEEL_TICK_MS, distance = wheel_distance(wheel);
	struct wheel_entry *entry;

	if (wheel->tick > last)
		return NULL;
	if (distance == WHEEL_SLOTS || distance > last - wheel->tick) {
		wheel->tick = last + 1;
		return NULL;
	}
	wheel->tick += distance;
	entry = LIST_FIRST(&wheel->slots[wheel->tick & SLOT_MASK]);
	wheel_clear(wheel, entry);
	return entry;
}

uint64_t
wheel_next(const struct wheel *wheel)
{
	uint64_t distance = wheel_distance(wheel);

	if (distance == WHEEL_SLOTS)
		return UINT64_MAX;
	return (wheel->tick + distance) * WHEEL_TICK_MS;
}
