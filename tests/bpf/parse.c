/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: parse OBJECT DIRECTORY...   Runs parse.bpf.c in the kernel on each file of the
 * directories, on its beginnings and on mutations of it, and compares all that it finds with what
 * the same text finds on the host. TAP.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "bpf/parse.h"

#define MUTATIONS     200
#define EDITS	      3
#define BEGINNINGS    64
#define NOT_SUPPORTED 524 /* ENOTSUPP, which is the kernel's own */

struct runner {
	int program;
	int map;
	uint64_t random;
	unsigned long inputs;
	unsigned long requests; /* inputs that were one, */
	unsigned long contexts; /* and those that carried a context: else nothing is tested */
	unsigned long blocks;	/* the same of header blocks */
	unsigned long wrong;
};

static uint64_t next_random(struct runner *runner)
{
	runner->random ^= runner->random << 13;
	runner->random ^= runner->random >> 7;
	runner->random ^= runner->random << 17;
	return runner->random;
}

/* The program's run over what is in the map. -errno. */
static int run_program(const struct runner *runner)
{
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, options);
	int r = bpf_prog_test_run_opts(runner->program, &options);

	if (r < 0)
		return -errno;
	return options.retval ? -EINVAL : 0;
}

static int compare(struct runner *runner, const uint8_t *data, size_t size)
{
	static struct parse kernel, host;
	const uint32_t slot = 0;
	int r;

	memset(&host, 0, sizeof(host));
	host.order = 0x54321;
	host.len = (uint32_t)size;
	memcpy(host.piece.data, data, size);
	if (bpf_map_update_elem(runner->map, &slot, &host, BPF_ANY) < 0)
		return -errno;
	parse_run(&host, host.len);
	r = run_program(runner);
	if (r < 0)
		return r;
	if (bpf_map_lookup_elem(runner->map, &slot, &kernel) < 0)
		return -errno;
	runner->inputs++;
	runner->requests += host.start == HTTP1_REQUEST;
	runner->contexts += host.kind == CONTEXT_PARENT;
	runner->blocks += host.block_kind == CONTEXT_PARENT;
	if (memcmp(&kernel, &host, sizeof(host)) == 0)
		return 0;
	if (!runner->wrong++)
		printf("# differs: start %u/%u status %u/%u used %u/%u kind %d/%d refused %d/%d "
		       "chunk %u/%u framed %u/%u block %d/%d (kernel/host) for %.*s\n",
		       kernel.start, host.start, kernel.status, host.status, kernel.used, host.used,
		       kernel.kind, host.kind, kernel.refused, host.refused, kernel.chunk_used,
		       host.chunk_used, kernel.framed, host.framed, kernel.block_kind,
		       host.block_kind, (int)(size < 200 ? size : 200), (const char *)data);
	return 0;
}

static int run_bytes(struct runner *runner, const uint8_t *data, size_t size)
{
	uint8_t changed[PIECE_MAX];
	int r = 0;

	for (size_t i = 0; r == 0 && i <= BEGINNINGS; i++)
		r = compare(runner, data, size * i / BEGINNINGS);
	for (size_t i = 0; r == 0 && size && i < MUTATIONS; i++) {
		memcpy(changed, data, size);
		for (size_t j = 0; j < EDITS; j++)
			changed[next_random(runner) % size] =
				next_random(runner) % 2
					? (uint8_t) "\r\n:, -0a"[next_random(runner) % 8]
					: (uint8_t)next_random(runner);
		r = compare(runner, changed, size);
	}
	return r;
}

static int run_file(struct runner *runner, const char *directory, const char *name)
{
	_cleanup_fclose_ FILE *file = NULL;
	uint8_t data[PIECE_MAX];
	char path[512];
	size_t size;
	int r = 0;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "rb");
	if (!file)
		return -errno;
	size = fread(data, 1, sizeof(data), file);
	/* files of the corpora begin with up to four bytes for their own use */
	for (size_t skip = 0; r == 0 && skip <= 4 && skip <= size; skip += 2)
		r = run_bytes(runner, data + skip, size - skip);
	return r;
}

static int run_directory(struct runner *runner, const char *path)
{
	struct dirent **entries;
	int n = scandir(path, &entries, NULL, alphasort);
	int r = n < 0 ? -errno : 0;

	for (int i = 0; i < n; i++) {
		if (r == 0 && entries[i]->d_name[0] != '.')
			r = run_file(runner, path, entries[i]->d_name);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return r;
}

static int row(int number, const char *name, bool right, const char *text)
{
	printf("%sok %d - %s: %s\n", right ? "" : "not ", number, name, text);
	return right ? 0 : 1;
}

static int run_all(struct runner *runner, char *const *directories)
{
	char text[160];
	int r = 0, failed;

	for (; r == 0 && *directories; directories++)
		r = run_directory(runner, *directories);
	if (r < 0)
		return row(1, "parse", false, strerror(-r));
	snprintf(text, sizeof(text), "%lu inputs, %lu differ", runner->inputs, runner->wrong);
	failed = row(1, "kernel and host read alike", !runner->wrong, text);
	snprintf(text, sizeof(text),
		 "%lu requests, %lu of them with a context, %lu header blocks with one",
		 runner->requests, runner->contexts, runner->blocks);
	return failed +
	       row(2, "there was something to read",
		   runner->requests > 1000 && runner->contexts > 100 && runner->blocks > 100, text);
}

int main(int argc, char **argv)
{
	struct runner runner = { .random = 1 };
	struct bpf_program *program;
	struct bpf_object *object;
	int r;

	if (argc < 3) {
		fprintf(stderr, "usage: parse OBJECT DIRECTORY...\n");
		return 2;
	}
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	object = bpf_object__open_file(argv[1], NULL);
	if (!object || bpf_object__load(object) < 0)
		return row(1, "parse.bpf.c loads", false, strerror(errno));
	program = bpf_object__find_program_by_name(object, "parse");
	runner.program = bpf_program__fd(program);
	runner.map = bpf_object__find_map_fd_by_name(object, "pieces");
	r = run_program(&runner);
	if (r == -NOT_SUPPORTED || r == -EOPNOTSUPP)
		printf("ok 1 - parse # SKIP this kernel cannot run programs for tests\n");
	else
		r = run_all(&runner, argv + 2);
	bpf_object__close(object);
	return r > 0 ? 1 : 0;
}
