/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target (LLVMFuzzerTestOneInput) without a fuzzer, in `make test`: the empty input,
 * each file of the directories and files given, every file's beginnings, and mutations of it. All
 * of it depends on the files' bytes alone, so a failure comes again.
 *
 *   usage: fuzz_NAME [-o CRASH-FILE] [DIRECTORY|FILE]...
 *
 * The input that makes a sanitizer speak is written to CRASH-FILE; `fuzz_NAME CRASH-FILE` shows it
 * again.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sanitizer/common_interface_defs.h>

#include "base/cleanup.h"

#define FILES_MAX	   4096
#define FILE_SIZE_MAX	   (1u << 20)
#define MUTATIONS_PER_FILE 2000
#define BEGINNINGS_MAX	   2048 /* longer files: only so many lengths are tried, evenly spread */
#define EDITS_MAX	   4	/* in one mutation */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	uint8_t *data;
	size_t size;
};

struct driver {
	const char *crash_path;
	struct input current; /* what the target has now */
	unsigned long n_files;
	unsigned long n_inputs;
	uint64_t random; /* state of xorshift64*, never 0 */
};

/* The sanitizer's callback takes no argument. */
static struct driver *crashing;

static void save_crash(void)
{
	_cleanup_fclose_ FILE *file = NULL;

	if (!crashing || !crashing->crash_path)
		return;
	file = fopen(crashing->crash_path, "wb");
	if (!file)
		return;
	fwrite(crashing->current.data, 1, crashing->current.size, file);
	fprintf(stderr, "fuzz: this input of %zu bytes is kept in %s\n", crashing->current.size,
		crashing->crash_path);
}

/* UBSan, assert() and the target itself end in abort(). */
static void on_abort(int number)
{
	(void)number;
	save_crash();
}

static uint64_t next_random(struct driver *driver)
{
	uint64_t x = driver->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	driver->random = x;
	return x * 0x2545f4914f6cdd1dull;
}

/* FNV-1a: the seed of a file's mutations. */
static uint64_t hash(const uint8_t *data, size_t size)
{
	uint64_t value = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < size; i++)
		value = (value ^ data[i]) * 0x100000001b3ull;
	return value ? value : 1;
}

/* In memory of just its size: one byte too far is a report. */
static int run_copy(struct driver *driver, const uint8_t *data, size_t size)
{
	_cleanup_free_ uint8_t *copy = malloc(size);

	if (!copy && size)
		return -ENOMEM;
	if (size)
		memcpy(copy, data, size);
	driver->current = (struct input){ .data = copy, .size = size };
	driver->n_inputs++;
	LLVMFuzzerTestOneInput(copy, size);
	driver->current = (struct input){ 0 };
	return 0;
}

/* What parsers stumble over: ends of integers, separators, bytes outside ASCII. */
static uint8_t interesting_byte(struct driver *driver)
{
	static const uint8_t bytes[] = { 0,    1,   0x7f, 0x80, 0xff, ' ', '\t', '\r',
					 '\n', ':', ';',  ',',	'/',  '?', '%',	 '=',
					 '&',  '0', '9',  '-',	'"',  'f', '[',	 ']' };

	return bytes[next_random(driver) % sizeof(bytes)];
}

enum edit {
	EDIT_FLIP,
	EDIT_REPLACE,
	EDIT_INSERT,
	EDIT_DELETE,
	EDIT_CUT,
	EDIT_DOUBLE,
	EDIT_COUNT,
};

/* One edit in place; `buffer` has room for twice the size. Gives the new size back. */
static size_t edit_once(struct driver *driver, uint8_t *buffer, size_t size, size_t room)
{
	size_t at = size ? next_random(driver) % size : 0;
	size_t n = 1 + next_random(driver) % 16;

	if (n > size - at)
		n = size - at;
	switch ((enum edit)(next_random(driver) % EDIT_COUNT)) {
	case EDIT_FLIP:
		if (size)
			buffer[at] ^= (uint8_t)(1u << (next_random(driver) % 8));
		return size;
	case EDIT_REPLACE:
		if (size)
			buffer[at] = interesting_byte(driver);
		return size;
	case EDIT_INSERT:
		if (size == room)
			return size;
		memmove(buffer + at + 1, buffer + at, size - at);
		buffer[at] = interesting_byte(driver);
		return size + 1;
	case EDIT_DELETE:
		memmove(buffer + at, buffer + at + n, size - at - n);
		return size - n;
	case EDIT_CUT:
		return at;
	case EDIT_DOUBLE:
		if (n > room - size)
			return size;
		memmove(buffer + at + n, buffer + at, size - at);
		return size + n;
	case EDIT_COUNT:
		break;
	}
	return size;
}

static int run_mutations(struct driver *driver, const uint8_t *data, size_t size)
{
	size_t room = size * 2 + 64;
	_cleanup_free_ uint8_t *buffer = malloc(room);
	int r;

	if (!buffer)
		return -ENOMEM;
	driver->random = hash(data, size);
	for (int i = 0; i < MUTATIONS_PER_FILE; i++) {
		unsigned int edits = 1 + (unsigned int)(next_random(driver) % EDITS_MAX);
		size_t used = size;

		if (size)
			memcpy(buffer, data, size);
		while (edits-- > 0)
			used = edit_once(driver, buffer, used, room);
		r = run_copy(driver, buffer, used);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A head may be cut anywhere: every length, or evenly spread ones of a long file. */
static int run_beginnings(struct driver *driver, const uint8_t *data, size_t size)
{
	size_t step = size / BEGINNINGS_MAX + 1;
	int r;

	for (size_t length = 0; length < size; length += step) {
		r = run_copy(driver, data, length);
		if (r < 0)
			return r;
	}
	return run_copy(driver, data, size);
}

static int run_file(struct driver *driver, const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "rb");
	_cleanup_free_ uint8_t *data = malloc(FILE_SIZE_MAX);
	size_t size;
	int r;

	if (!file)
		return -errno;
	if (!data)
		return -ENOMEM;
	size = fread(data, 1, FILE_SIZE_MAX, file);
	if (ferror(file))
		return -EIO;
	driver->n_files++;
	r = run_beginnings(driver, data, size);
	if (r < 0)
		return r;
	return run_mutations(driver, data, size);
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int run_path(struct driver *driver, const char *path);

static int run_directory(struct driver *driver, const char *path)
{
	struct dirent **entries = NULL;
	int n = scandir(path, &entries, visible, alphasort);
	int r = n < 0 ? -errno : 0;

	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *child = NULL;

		if (r == 0 && asprintf(&child, "%s/%s", path, entries[i]->d_name) < 0)
			r = -ENOMEM;
		if (r == 0)
			r = run_path(driver, child);
		free(entries[i]);
	}
	free(entries);
	return r;
}

static int run_path(struct driver *driver, const char *path)
{
	struct stat status;
	int r;

	if (stat(path, &status) < 0)
		r = -errno;
	else if (S_ISDIR(status.st_mode))
		return run_directory(driver, path);
	else if (driver->n_files >= FILES_MAX)
		return 0;
	else
		r = run_file(driver, path);
	if (r < 0)
		fprintf(stderr, "fuzz: cannot read %s: %s\n", path, strerror(-r));
	return r;
}

int main(int argc, char **argv)
{
	struct driver driver = { .random = 1 };
	int first = 1;
	int r;

	if (argc > 2 && strcmp(argv[1], "-o") == 0) {
		driver.crash_path = argv[2];
		first = 3;
	}
	crashing = &driver;
	__sanitizer_set_death_callback(save_crash);
	signal(SIGABRT, on_abort);
	r = run_copy(&driver, NULL, 0);
	for (int i = first; i < argc && r == 0; i++)
		r = run_path(&driver, argv[i]);
	crashing = NULL;
	if (r < 0) {
		fprintf(stderr, "fuzz: %s\n", strerror(-r));
		return 1;
	}
	printf("%lu inputs from %lu files\n", driver.n_inputs, driver.n_files);
	printf("1 passed, 0 failed\n");
	return 0;
}
