/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Process 42 has a program and a library mapped, which are files of the test's making; its memory
 * is one, too. End-to-end tests look at real programs.
 */
#include "discover/thread_context.h"

#include <errno.h>

#include "discover/procfs.h"
#include "elf_image.h"
#include "fake_proc.h"

#define PROGRAM_RANGE "00001000-00002000"
#define LIBRARY_RANGE "00020000-00021000"
/* in map_files they have no zeros in front */
#define PROGRAM_LINK  "1000-2000"
#define LIBRARY_LINK  "20000-21000"
#define LIBRARY_START 0x20000
#define LIBRARY_CODE  "00021000-00022000"
#define MEMORY_SIZE   0x31000
#define INDEX_AT      0x2000000 /* too far away for an offset */
#define SLOT_AT	      (LIBRARY_START - ELF_BASE + ELF_SLOT)

#define MAPS                                                                                       \
	PROGRAM_RANGE " r-xp 00000000 fe:01 17  /usr/bin/program\n"                                \
		      "00002000-00003000 rw-p 00000000 00:00 0 \n" LIBRARY_RANGE                   \
		      " r--p 00000000 fe:01 18  /usr/lib/library.so\n" LIBRARY_CODE                \
		      " r-xp 00001000 fe:01 18  /usr/lib/library.so\n"

struct world {
	struct fake fake;
	struct elf_image image;
	uint64_t words[2]; /* in the library's slot */
	uint64_t index[2]; /* what a descriptor may point to */
	const char *maps;
	const char *schema;
};

static int setup(void **state)
{
	static struct world world;

	memset(&world, 0, sizeof(world));
	fake_init(&world.fake);
	fake_process(&world.fake, "/usr/bin/program");
	elf_image_init(&world.image);
	world.maps = MAPS;
	world.schema = "tls_v1";
	*state = &world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	fake_clear(&world->fake);
	return 0;
}

/* Far behind the rest of the memory. */
static void write_index(const struct world *world)
{
	int fd = open(fake_path(&world->fake, "42/mem"), O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, world->index, sizeof(world->index), INDEX_AT),
			 sizeof(world->index));
	close(fd);
}

/* The image as the library, the program something else. */
static int find(struct world *world, struct tls_place *ret_place)
{
	static char memory[MEMORY_SIZE];
	struct process_context context = { 0 };
	int dir, r;

	fake_write(&world->fake, "42/map_files/" PROGRAM_LINK, TEXT("#!"));
	fake_write(&world->fake, "42/map_files/" LIBRARY_LINK, &world->image, sizeof(world->image));
	memcpy(memory + SLOT_AT, world->words, sizeof(world->words));
	fake_write(&world->fake, "42/mem", memory, sizeof(memory));
	write_index(world);
	if (world->schema)
		assert_int_equal(attributes_add_string(&context.more, "threadlocal.schema_version",
						       world->schema),
				 0);
	assert_int_equal(procfs_open(world->fake.dir, 42, &dir), 0);
	r = thread_context_find(dir, view_of(world->maps), &context, ret_place);
	close(dir);
	process_context_clear(&context);
	return r;
}

static void assert_found(struct world *world, uint32_t module, int64_t offset)
{
	struct tls_place place = { .offset = -77 };

	assert_int_equal(find(world, &place), 0);
	assert_int_equal(place.module, module);
	assert_int_equal(place.offset, offset);
}

/* A static offset, on the side of the thread pointer that this machine has them on. */
#define STATIC(distance) (ELF_OFFSET < 0 ? -(int64_t)(distance) : (int64_t)(distance))

static void assert_not_found(struct world *world)
{
	struct tls_place place;

	assert_int_equal(find(world, &place), -ENOENT);
}

static void access_by(struct world *world, uint32_t type)
{
	world->image.relocations[1].r_info = ELF64_R_INFO(2, type);
}

/* Its file says it all, whatever stands in its memory. */
static void test_executable(void **state)
{
	struct world *world = *state;
	char path[256];

	snprintf(path, sizeof(path), "%s", fake_path(&world->fake, "42/map_files/" LIBRARY_LINK));
	fake_link(&world->fake, "42/exe", path);
	world->words[0] = 0x77;
	assert_found(world, 0, ELF_OFFSET);
	access_by(world, ELF_RELOCATE_OTHER);
	assert_found(world, 0, ELF_OFFSET);
}

static void test_offset(void **state)
{
	struct world *world = *state;

	world->words[0] = (uint64_t)STATIC(72);
	assert_found(world, 0, STATIC(72));
	world->words[0] = (uint64_t)-STATIC(72);
	assert_not_found(world);
	/* an address is no offset */
	world->words[0] = 0x7f0000001000;
	assert_not_found(world);
	world->words[0] = 1ull << 63;
	assert_not_found(world);
	/* nor is nothing */
	world->words[0] = 0;
	assert_not_found(world);
}

static void test_descriptor(void **state)
{
	struct world *world = *state;

	access_by(world, ELF_RELOCATE_DESC);
	world->words[0] = 0x7f0000001000;
	world->words[1] = (uint64_t)STATIC(80);
	assert_found(world, 0, STATIC(80));
	/* not resolved yet */
	world->words[1] = 0;
	assert_not_found(world);
	/* the block is not beside the program's own: the argument is an index' address */
	world->words[1] = INDEX_AT;
	world->index[0] = 5;
	world->index[1] = 0x40;
	assert_found(world, 5, 0x40);
}

static void test_index(void **state)
{
	struct world *world = *state;

	access_by(world, ELF_RELOCATE_MODULE);
	world->words[0] = 3;
	world->words[1] = 0x40;
	assert_found(world, 3, 0x40);
	world->words[0] = 0;
	assert_not_found(world);
	world->words[0] = 1u << 20;
	assert_not_found(world);
	world->words[0] = 3;
	world->words[1] = UINT64_MAX;
	assert_not_found(world);
}

/* Memory that cannot be read is the end of the search in this file only. */
static void test_unreadable(void **state)
{
	struct world *world = *state;

	access_by(world, ELF_RELOCATE_DESC);
	world->words[1] = 0x7f0000001000;
	assert_not_found(world);
	world->image.relocations[1].r_offset = MEMORY_SIZE;
	assert_not_found(world);
	world->image.relocations[1].r_offset = UINT64_MAX / 2;
	assert_not_found(world);
}

/* Another C library's threads are laid out in another way; static blocks are where they are. */
static void test_other_libc(void **state)
{
	struct world *world = *state;

	world->maps = MAPS "00040000-00041000 r-xp 00000000 fe:01 19  /lib/ld-musl-x86_64.so.1\n";
	world->words[0] = (uint64_t)STATIC(72);
	assert_found(world, 0, STATIC(72));
	access_by(world, ELF_RELOCATE_MODULE);
	world->words[0] = 3;
	assert_not_found(world);
}

/* Only who says so has it: for all others no file is opened. */
static void test_schema(void **state)
{
	struct world *world = *state;

	world->words[0] = (uint64_t)STATIC(72);
	world->schema = "tlsdesc_v1_dev";
	assert_found(world, 0, STATIC(72));
	world->schema = "go_pprof_labels_v1";
	assert_not_found(world);
	world->schema = NULL;
	assert_not_found(world);
}

static void test_files(void **state)
{
	struct world *world = *state;

	world->words[0] = (uint64_t)STATIC(72);
	/* data, not code */
	world->maps = PROGRAM_RANGE " r-xp 00000000 fe:01 17  /usr/bin/program\n" LIBRARY_RANGE
				    " r--p 00000000 fe:01 18  /usr/lib/library.so\n";
	assert_not_found(world);
	world->maps = "";
	assert_not_found(world);
	/* the last line has no end */
	world->maps = LIBRARY_RANGE " r-xp 00000000 fe:01 18  /usr/lib/library.so";
	assert_found(world, 0, STATIC(72));
	/* a range that leads elsewhere */
	world->maps = "../../exe r-xp 00000000 fe:01 18  /usr/lib/library.so\n";
	assert_not_found(world);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_executable), TEST(test_offset),     TEST(test_descriptor),
		TEST(test_index),      TEST(test_unreadable), TEST(test_other_libc),
		TEST(test_schema),     TEST(test_files),
	};

	return cmocka_run_group_tests_name("discover/thread_context", tests, NULL, NULL);
}
