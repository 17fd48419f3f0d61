/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hashmap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>

#define SLOT_ALIGN	 8u
#define CAPACITY_INITIAL 16u
#define CAPACITY_SPARSE	 1024u /* fewer slots are never too many */

/* A slot is: the key's hash (zero: empty), the key, the value; each aligned to SLOT_ALIGN. */
#define SLOT_KEY_OFFSET sizeof(uint64_t)

static size_t align_up(size_t size)
{
	return (size + SLOT_ALIGN - 1) & ~(size_t)(SLOT_ALIGN - 1);
}

static uint64_t rotate_left(uint64_t word, unsigned int bits)
{
	return word << bits | word >> (64 - bits);
}

/* Inlined, so that the state stays in registers: hashing is on the way of every record. */
static inline __attribute__((always_inline)) void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate_left(v[1], 13) ^ v[0];
	v[3] = rotate_left(v[3], 16) ^ v[2];
	v[0] = rotate_left(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate_left(v[1], 17) ^ v[2];
	v[3] = rotate_left(v[3], 21) ^ v[0];
	v[2] = rotate_left(v[2], 32);
}

static inline __attribute__((always_inline)) void sip_absorb(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
}

/* Aumasson and Bernstein, "SipHash: a fast short-input PRF", with c = 1 and d = 3. */
uint64_t hashmap_hash(const uint64_t seed[2], const void *data, size_t len)
{
	uint64_t v[4] = {
		seed[0] ^ 0x736f6d6570736575ull,
		seed[1] ^ 0x646f72616e646f6dull,
		seed[0] ^ 0x6c7967656e657261ull,
		seed[1] ^ 0x7465646279746573ull,
	};
	const unsigned char *byte = data;
	uint64_t word;
	size_t i;

	for (i = 0; i + sizeof(word) <= len; i += sizeof(word)) {
		memcpy(&word, byte + i, sizeof(word));
		sip_absorb(v, word);
	}

	word = 0;
	if (i < len)
		memcpy(&word, byte + i, len - i);
	/* The length stands in the top byte; at most seven bytes were copied, so it is free. */
	sip_absorb(v, word | (uint64_t)len << 56);

	v[2] ^= 0xff;
	for (i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/*
 * The seed must not be guessable by peers, but making a map must not fail or block either: at early
 * boot, or where getrandom() is refused, the process's own random bytes from the kernel will do.
 */
void hashmap_seed(uint64_t seed[2])
{
	const void *fallback;

	if (getrandom(seed, 2 * sizeof(seed[0]), GRND_NONBLOCK) == (ssize_t)(2 * sizeof(seed[0])))
		return;

	fallback = (const void *)getauxval(AT_RANDOM);
	if (fallback)
		memcpy(seed, fallback, 2 * sizeof(seed[0]));
	seed[0] ^= (uintptr_t)seed;
}

static inline uint64_t inner_hash(const struct hashmap *map, const void *key)
{
	uint64_t word = 0;

	if (map->key_size == sizeof(word))
		memcpy(&word, key, sizeof(word));
	else
		memcpy(&word, key, map->key_size);
	return hashmap_mix(map->seed[0], word);
}

static inline uint64_t key_hash(const struct hashmap *map, const void *key)
{
	uint64_t hash = map->inner_keys ? inner_hash(map, key)
					: hashmap_hash(map->seed, key, map->key_size);

	/* Zero marks an empty slot. */
	return hash ? hash : 1;
}

static unsigned char *slot_at(const struct hashmap *map, size_t index)
{
	return map->slots + index * map->stride;
}

static uint64_t slot_hash(const unsigned char *slot)
{
	return *(const uint64_t *)(const void *)slot;
}

/* Most keys are of one word. */
static inline bool key_equal(const struct hashmap *map, const void *a, const void *b)
{
	uint64_t word, other;

	if (map->key_size != sizeof(word))
		return memcmp(a, b, map->key_size) == 0;
	memcpy(&word, a, sizeof(word));
	memcpy(&other, b, sizeof(other));
	return word == other;
}

/* The slot that holds the key, or the empty one where it would go. The map must have slots. */
static size_t slot_find(const struct hashmap *map, const void *key, uint64_t hash)
{
	size_t index = hash & (map->capacity - 1);

	for (;; index = (index + 1) & (map->capacity - 1)) {
		const unsigned char *slot = slot_at(map, index);
		uint64_t found = slot_hash(slot);

		if (found == 0)
			return index;
		if (found == hash && key_equal(map, slot + SLOT_KEY_OFFSET, key))
			return index;
	}
}

/* At most three quarters of the slots are taken, so that probing stays short and ends. */
static bool must_grow(const struct hashmap *map)
{
	return map->count >= map->capacity / 4 * 3;
}

/*
 * After a time of many entries few of them lie far apart, each in lines of memory of its own that
 * the processor has to fetch. Far from must_grow(), so that it does not go to and fro.
 */
static bool may_shrink(const struct hashmap *map)
{
	return map->capacity >= CAPACITY_SPARSE && map->count < map->capacity / 16;
}

static int resize(struct hashmap *map, size_t capacity)
{
	struct hashmap other = *map;

	other.capacity = capacity;
	other.slots = calloc(other.capacity, map->stride);
	if (!other.slots)
		return -ENOMEM;

	for (size_t i = 0; i < map->capacity; i++) {
		const unsigned char *slot = slot_at(map, i);
		uint64_t hash = slot_hash(slot);
		size_t index = hash & (other.capacity - 1);

		if (hash == 0)
			continue;
		while (slot_hash(slot_at(&other, index)) != 0)
			index = (index + 1) & (other.capacity - 1);
		memcpy(slot_at(&other, index), slot, map->stride);
	}

	free(map->slots);
	*map = other;
	return 0;
}

/* Makes the map fit for one entry more. True: entries have moved. -ENOMEM: there is no room. */
static int fit(struct hashmap *map)
{
	int r;

	if (must_grow(map)) {
		r = resize(map, map->capacity ? map->capacity * 2 : CAPACITY_INITIAL);
		return r < 0 ? r : true;
	}
	return may_shrink(map) && resize(map, map->capacity / 4) == 0;
}

int hashmap_init(struct hashmap *map, size_t key_size, size_t value_size, size_t max_entries)
{
	if (key_size == 0 || key_size > HASHMAP_KEY_MAX || value_size > HASHMAP_VALUE_MAX ||
	    max_entries == 0 || max_entries > HASHMAP_ENTRIES_MAX)
		return -EINVAL;

	*map = (struct hashmap){
		.key_size = key_size,
		.value_size = value_size,
		.max_entries = max_entries,
		.value_offset = SLOT_KEY_OFFSET + align_up(key_size),
	};
	map->stride = map->value_offset + align_up(value_size);
	hashmap_seed(map->seed);
	return 0;
}

int hashmap_init_inner(struct hashmap *map, size_t key_size, size_t value_size, size_t max_entries)
{
	int r = key_size <= sizeof(uint64_t) ? hashmap_init(map, key_size, value_size, max_entries)
					     : -EINVAL;

	if (r == 0)
		map->inner_keys = true;
	return r;
}

void hashmap_clear(struct hashmap *map)
{
	free(map->slots);
	map->slots = NULL;
	map->capacity = 0;
	map->count = 0;
}

void *hashmap_get(const struct hashmap *map, const void *key)
{
	unsigned char *slot;

	if (map->count == 0)
		return NULL;
	slot = slot_at(map, slot_find(map, key, key_hash(map, key)));
	return slot_hash(slot) ? slot + map->value_offset : NULL;
}

/* The value under the key, made if need be. -ENOSPC, -ENOMEM. */
static int obtain(struct hashmap *map, const void *key, bool *ret_created, void **ret_value)
{
	uint64_t hash = key_hash(map, key);
	unsigned char *slot = NULL;
	int r;

	if (map->capacity > 0) {
		slot = slot_at(map, slot_find(map, key, hash));
		if (slot_hash(slot)) {
			*ret_created = false;
			*ret_value = slot + map->value_offset;
			return 0;
		}
	}

	if (hashmap_full(map))
		return -ENOSPC;
	r = fit(map);
	if (r < 0)
		return r;
	if (r > 0)
		slot = slot_at(map, slot_find(map, key, hash));
	memcpy(slot, &hash, sizeof(hash));
	memcpy(slot + SLOT_KEY_OFFSET, key, map->key_size);
	memset(slot + map->value_offset, 0, map->stride - map->value_offset);
	map->count++;
	*ret_created = true;
	*ret_value = slot + map->value_offset;
	return 0;
}

void *hashmap_put(struct hashmap *map, const void *key, bool *ret_created)
{
	bool created;
	void *value;

	if (obtain(map, key, &created, &value) < 0)
		return NULL;
	if (ret_created)
		*ret_created = created;
	return value;
}

int hashmap_add(struct hashmap *map, const void *key, const void *value)
{
	bool created;
	void *stored;
	int r;

	r = obtain(map, key, &created, &stored);
	if (r < 0)
		return r;
	if (!created)
		return -EEXIST;
	if (value && map->value_size > 0)
		memcpy(stored, value, map->value_size);
	return 0;
}

/*
 * Empties a slot and moves later entries of the same run back into the hole, as long as that does
 * not bring one before the slot that its hash names. No tombstones: probing never degrades.
 */
static void slot_vacate(struct hashmap *map, size_t hole)
{
	size_t mask = map->capacity - 1;

	for (size_t next = (hole + 1) & mask;; next = (next + 1) & mask) {
		const unsigned char *slot = slot_at(map, next);
		uint64_t hash = slot_hash(slot);

		if (hash == 0)
			break;
		if (((next - hash) & mask) < ((next - hole) & mask))
			continue;
		memcpy(slot_at(map, hole), slot, map->stride);
		hole = next;
	}
	memset(slot_at(map, hole), 0, sizeof(uint64_t));
}

bool hashmap_delete(struct hashmap *map, const void *key)
{
	size_t index;

	if (map->count == 0)
		return false;
	index = slot_find(map, key, key_hash(map, key));
	if (slot_hash(slot_at(map, index)) == 0)
		return false;
	slot_vacate(map, index);
	map->count--;
	return true;
}

void hashmap_drop(struct hashmap *map, void *value)
{
	const unsigned char *slot = (const unsigned char *)value - map->value_offset;

	slot_vacate(map, (size_t)(slot - map->slots) / map->stride);
	map->count--;
}

/*
 * Walks backwards around the table from an empty slot. A delete moves entries only from behind the
 * deleted one up to the next empty slot: those have been visited, so none is skipped or repeated.
 */
bool hashmap_next(const struct hashmap *map, struct hashmap_cursor *cursor, const void **ret_key,
		  void **ret_value)
{
	if (map->capacity == 0)
		return false;
	if (cursor->steps == 0) {
		cursor->start = 0;
		while (slot_hash(slot_at(map, cursor->start)) != 0)
			cursor->start++;
	}

	while (cursor->steps + 1 < map->capacity) {
		unsigned char *slot;

		cursor->steps++;
		slot = slot_at(map, (cursor->start - cursor->steps) & (map->capacity - 1));
		if (slot_hash(slot) == 0)
			continue;
		if (ret_key)
			*ret_key = slot + SLOT_KEY_OFFSET;
		if (ret_value)
			*ret_value = slot + map->value_offset;
		return true;
	}
	return false;
}
