/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/btf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "attach/kernel_btf.h"

#define INFO(kind, vlen)      ((uint32_t)(kind) << 24 | (vlen))
#define INFO_FLAG(kind, vlen) (INFO(kind, vlen) | 1u << 31)
#define NAMES		      "\0int\0field\0tag\0big\0low\0high\0point"
#define HEADER(types_len)                                                                          \
	{                                                                                          \
		.magic = BTF_MAGIC, .version = BTF_VERSION, .hdr_len = sizeof(struct btf_header),  \
		.type_len = (types_len), .str_off = (types_len), .str_len = sizeof(NAMES)          \
	}

/* Where the words of NAMES begin. */
enum names {
	NAME_INT = 1,
	NAME_FIELD = 5,
	NAME_TAG = 11,
	NAME_BIG = 15,
	NAME_LOW = 19,
	NAME_HIGH = 23,
	NAME_POINT = 28,
};

/* Not in the <linux/btf.h> of every machine that builds this. */
enum new_kinds {
	KIND_DECL_TAG = 17,
	KIND_TYPE_TAG,
	KIND_ENUM64,
	KIND_UNKNOWN,
};

#define TYPE(name, info, type, ...) name, info, type, ##__VA_ARGS__
#define MEMBER(name, type, offset)  name, type, offset
#define ENUMERATOR(name, low, high) name, low, high

static const uint32_t types[] = {
	/* 1: int */
	TYPE(NAME_INT, INFO(BTF_KIND_INT, 0), 4, 1 << 24 | 32),
	/* 2: a tag of it, 3: one with the flag that makes it an attribute */
	TYPE(NAME_TAG, INFO(KIND_TYPE_TAG, 0), 1),
	TYPE(NAME_TAG, INFO_FLAG(KIND_TYPE_TAG, 0), 1),
	/* 4: 64-bit enumerators, signed */
	TYPE(NAME_BIG, INFO_FLAG(KIND_ENUM64, 2), 8),
	ENUMERATOR(NAME_LOW, 1, 0),
	ENUMERATOR(NAME_HIGH, 7, 0xffffffff),
	/* 5: struct point { int tag *field; } */
	TYPE(NAME_POINT, INFO(BTF_KIND_STRUCT, 1), 8),
	MEMBER(NAME_FIELD, 6, 0),
	/* 6: pointer to the tagged int */
	TYPE(0, INFO(BTF_KIND_PTR, 0), 2),
	/* 7: a tag of the struct's first member */
	TYPE(NAME_TAG, INFO(KIND_DECL_TAG, 0), 5, 0),
	/* 8: another struct behind them all */
	TYPE(NAME_INT, INFO(BTF_KIND_STRUCT, 0), 0),
};

/* Lengths of `types` at which a type ends. */
static const uint32_t ends[] = { 16, 28, 40, 76, 100, 112, 128 };

static bool is_end(uint32_t len)
{
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends[i] == len)
			return true;
	return false;
}

struct blob {
	struct btf_header header;
	uint32_t types[sizeof(types) / sizeof(types[0])];
	char names[sizeof(NAMES)];
};

static struct blob blob_of(void)
{
	struct blob blob = { .header = HEADER(sizeof(types)), .names = NAMES };

	memcpy(blob.types, types, sizeof(types));
	return blob;
}

/* The type of that number, by libbpf; its kind is the one expected. */
static const struct btf_type *type_of_kind(const struct btf *btf, uint32_t id, unsigned int kind)
{
	const struct btf_type *type = btf__type_by_id(btf, id);

	assert_non_null(type);
	assert_int_equal(btf_kind(type), kind);
	return type;
}

static void test_new_kinds(void **state)
{
	struct blob blob = blob_of();
	const struct btf_type *type;
	struct btf *btf;

	(void)state;
	assert_int_equal(kernel_btf_simplify(&blob, sizeof(blob)), 0);
	btf = btf__new(&blob, sizeof(blob));
	assert_non_null(btf);
	type = type_of_kind(btf, 2, BTF_KIND_CONST);
	assert_int_equal(type->type, 1);
	assert_int_equal(type->name_off, 0);
	type = type_of_kind(btf, 3, BTF_KIND_CONST);
	assert_false(btf_kflag(type));
	type = type_of_kind(btf, 4, BTF_KIND_UNION);
	assert_int_equal(btf_vlen(type), 2);
	assert_int_equal(type->size, 8);
	assert_string_equal(btf__name_by_offset(btf, btf_members(type)[1].name_off), "high");
	assert_int_equal(btf_members(type)[1].type, 0);
	assert_int_equal(btf_members(type)[1].offset, 0);
	type = type_of_kind(btf, 7, BTF_KIND_INT);
	assert_int_equal(btf_int_bits(type), 8);
	btf__free(btf);
}

/* Numbers, names and contents of all other types stay. */
static void test_others_stay(void **state)
{
	struct blob blob = blob_of();
	const struct btf_type *type;
	struct btf *btf;

	(void)state;
	assert_int_equal(kernel_btf_simplify(&blob, sizeof(blob)), 0);
	btf = btf__new(&blob, sizeof(blob));
	assert_non_null(btf);
	assert_int_equal(btf__find_by_name_kind(btf, "point", BTF_KIND_STRUCT), 5);
	assert_int_equal(btf__find_by_name_kind(btf, "int", BTF_KIND_STRUCT), 8);
	type = type_of_kind(btf, 5, BTF_KIND_STRUCT);
	assert_string_equal(btf__name_by_offset(btf, btf_members(type)->name_off), "field");
	assert_int_equal(btf_members(type)->type, 6);
	assert_int_equal(btf__resolve_size(btf, 2), 4);
	btf__free(btf);
}

static void test_twice_is_once(void **state)
{
	struct blob once = blob_of(), twice;

	(void)state;
	assert_int_equal(kernel_btf_simplify(&once, sizeof(once)), 0);
	twice = once;
	assert_int_equal(kernel_btf_simplify(&twice, sizeof(twice)), 0);
	assert_memory_equal(&once, &twice, sizeof(once));
}

static void test_cut_anywhere(void **state)
{
	(void)state;
	for (uint32_t len = 4; len < sizeof(types); len += 4) {
		struct blob blob = blob_of();

		blob.header.type_len = len;
		assert_int_equal(kernel_btf_simplify(&blob, sizeof(blob)),
				 is_end(len) ? 0 : -EBADMSG);
	}
}

static void test_not_btf(void **state)
{
	struct blob blob = blob_of();

	(void)state;
	assert_int_equal(kernel_btf_simplify(&blob, sizeof(blob.header) - 1), -EBADMSG);
	assert_int_equal(kernel_btf_simplify(&blob, sizeof(blob.header) + 4), -EBADMSG);
	blob.header.type_off = 0xfffffffc;
	assert_int_equal(kernel_btf_simplify(&blob, sizeof(blob)), -EBADMSG);
	blob = blob_of();
	blob.header.type_off = 2;
	assert_int_equal(kernel_btf_simplify(&blob, sizeof(blob)), -EBADMSG);
	blob = blob_of();
	blob.header.magic = 0x9feb;
	assert_int_equal(kernel_btf_simplify(&blob, sizeof(blob)), -EBADMSG);
	blob = blob_of();
	blob.types[1] = INFO(KIND_UNKNOWN, 0);
	assert_int_equal(kernel_btf_simplify(&blob, sizeof(blob)), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_kinds),     cmocka_unit_test(test_others_stay),
		cmocka_unit_test(test_twice_is_once), cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_not_btf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
