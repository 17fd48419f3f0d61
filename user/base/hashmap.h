/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash map from keys of a fixed size to values of a fixed size, both stored inline: open
 * addressing with linear probing. Not thread safe.
 *
 * Keys are hashed with SipHash-1-3 under a random key of the map's own, so whoever chooses the keys
 * cannot make them collide (but see hashmap_init_inner()). The map never holds more than
 * `max_entries`, and never takes more memory than about 2.7 * max_entries * (8 + key_size +
 * value_size) bytes; it starts with none and grows by doubling (one growth copies all entries; a
 * put is O(1) on average over many), and shrinks when a key is put after most have been taken out.
 *
 * Keys are compared byte by byte: a key that is a struct must have its padding zeroed. Keys and
 * values are aligned to 8 bytes.
 */
#ifndef WEFT_BASE_HASHMAP_H
#define WEFT_BASE_HASHMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Limits of one entry and of one map, so that no size computation can overflow. */
#define HASHMAP_KEY_MAX	    4096u
#define HASHMAP_VALUE_MAX   (1u << 20)
#define HASHMAP_ENTRIES_MAX (1u << 28)

struct hashmap {
	size_t key_size;
	size_t value_size;
	size_t max_entries;
	size_t count;	 /* entries in the map: read it freely */
	size_t capacity; /* slots: zero or a power of two */
	size_t value_offset;
	size_t stride;
	bool inner_keys;
	uint64_t seed[2];
	unsigned char *slots;
};

/* Where an iteration stands; start with HASHMAP_CURSOR_INIT. */
struct hashmap_cursor {
	size_t start;
	size_t steps;
};

#define HASHMAP_CURSOR_INIT ((struct hashmap_cursor){ 0 })

/*
 * Makes an empty map. Sizes are in bytes; a value_size of zero makes a set. Allocates nothing.
 * -EINVAL: a size is zero (key, entries) or beyond the limits above.
 */
int hashmap_init(struct hashmap *map, size_t key_size, size_t value_size, size_t max_entries);

/*
 * As hashmap_init() for keys of at most 8 bytes that no peer chooses, such as ids that the kernel
 * side makes, and process numbers: hashed by hashmap_mix().
 */
int hashmap_init_inner(struct hashmap *map, size_t key_size, size_t value_size, size_t max_entries);

/*
 * Frees all entries. The map stays usable and is empty. Accepts a zeroed struct; a variable may be
 * marked _cleanup_(hashmap_clear).
 */
void hashmap_clear(struct hashmap *map);

/*
 * The value stored under `key`, or NULL. The pointer is good until the next put, delete or clear.
 * O(1).
 */
void *hashmap_get(const struct hashmap *map, const void *key);

/*
 * The value under `key`, which is created if it is not there: then it is zeroed and `ret_created`
 * (may be NULL) becomes true, else false. The pointer is good until the next put, delete or clear.
 * NULL: the map is full (see hashmap_full()) or there is no memory; nothing has changed then.
 */
void *hashmap_put(struct hashmap *map, const void *key, bool *ret_created);

/*
 * As hashmap_put() for a key that must be new; copies `value` in (may be NULL: zeroed).
 * -EEXIST: the key is there, its value is untouched. -ENOSPC: the map is full. -ENOMEM.
 */
int hashmap_add(struct hashmap *map, const void *key, const void *value);

/* Takes the entry out. False: there was none (what other interfaces call -ENOENT). O(1). */
bool hashmap_delete(struct hashmap *map, const void *key);

/* Takes out the entry that `value` was handed out for, which must be there still. O(1). */
void hashmap_drop(struct hashmap *map, void *value);

/* True when no new key can be put. */
static inline bool hashmap_full(const struct hashmap *map)
{
	return map->count >= map->max_entries;
}

/*
 * Hands out the next entry, in no particular order; false at the end. Each output may be NULL.
 * Between two calls entries that have been handed out already may be deleted, and no others;
 * nothing may be put. After such a delete the pointers handed out before are void. O(capacity) for
 * all.
 *
 *	struct hashmap_cursor cursor = HASHMAP_CURSOR_INIT;
 *	while (hashmap_next(&map, &cursor, &key, &value))
 *		...
 */
bool hashmap_next(const struct hashmap *map, struct hashmap_cursor *cursor, const void **ret_key,
		  void **ret_value);

/* A random key, for those who hash without a map. Never fails. */
void hashmap_seed(uint64_t ret_seed[2]);

/*
 * A quick hash of a number that no peer chooses, under a random one: each bit of the result depends
 * on each of the number (multiply and xor-shift, as in Stafford's variants of MurmurHash3's end).
 */
static inline uint64_t hashmap_mix(uint64_t seed, uint64_t number)
{
	number ^= seed;
	number = (number ^ number >> 32) * 0xd6e8feb86659fd93ull;
	number = (number ^ number >> 32) * 0xd6e8feb86659fd93ull;
	return number ^ number >> 32;
}

/* SipHash-1-3 of `len` bytes, for those who need a keyed hash without a map. */
uint64_t hashmap_hash(const uint64_t seed[2], const void *data, size_t len);

#endif
