/* SPDX-License-Identifier: Apache-2.0 */
#include "attach/load_apart.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#ifdef LIBBPF_MAJOR_VERSION

/* A thread costs less than to verify so many instructions. */
#define LARGE_INSNS 1000
/* Threads at a time; each holds the verifier's memory, some megabytes. */
#define APART_MAX 8

/* A load in a thread of its own. Names are the object's, and live as long as it. */
struct load {
	pthread_t thread;
	enum bpf_prog_type type;
	const char *name;
	const char *license;
	size_t n_insns;
	struct bpf_prog_load_opts options;
	void *copy;   /* of the instructions and of what is said of them: libbpf may free its own */
	int stand_in; /* what libbpf was given */
	int fd;	      /* of the program, or -errno */
};

static struct {
	bool on;
	size_t n;
	struct load loads[APART_MAX];
} apart;

static void *load_run(void *context)
{
	struct load *load = context;

	load->fd = bpf_prog_load(load->type, load->name, load->license, load->copy, load->n_insns,
				 &load->options);
	return NULL;
}

/* Where the bytes stand in the copy from now on. */
static const void *take_over(char **at, const void *bytes, size_t size)
{
	char *to = *at;

	if (size == 0)
		return bytes;
	memcpy(to, bytes, size);
	*at += size;
	return to;
}

/* -ENOMEM. */
static int load_copy(struct load *load, const struct bpf_insn *insns)
{
	struct bpf_prog_load_opts *options = &load->options;
	size_t insns_size = load->n_insns * sizeof(*insns);
	size_t functions_size = (size_t)options->func_info_cnt * options->func_info_rec_size;
	size_t lines_size = (size_t)options->line_info_cnt * options->line_info_rec_size;
	char *at = malloc(insns_size + functions_size + lines_size);

	if (!at)
		return -ENOMEM;
	load->copy = at;
	take_over(&at, insns, insns_size);
	options->func_info = take_over(&at, options->func_info, functions_size);
	options->line_info = take_over(&at, options->line_info, lines_size);
	return 0;
}

/* A program, for libbpf does to it what is done to programs. -errno. */
static int stand_in_new(void)
{
	static const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, NULL, "GPL", nothing,
			       sizeof(nothing) / sizeof(nothing[0]), NULL);

	return fd < 0 ? -errno : fd;
}

/* Starts a thread for it. The stand-in's descriptor, which is the caller's; -errno: none runs. */
static int load_start(const struct load *load, const struct bpf_insn *insns)
{
	struct load *place = &apart.loads[apart.n];
	_cleanup_close_ int stand_in = stand_in_new();
	int r;

	if (stand_in < 0)
		return stand_in;
	*place = *load;
	place->stand_in = stand_in;
	r = load_copy(place, insns);
	if (r == 0)
		r = -pthread_create(&place->thread, NULL, load_run, place);
	if (r < 0) {
		free(place->copy);
		return r;
	}
	apart.n++;
	return TAKE_FD(stand_in);
}

/*
 * libbpf frees a list of descriptors at the end of its own loading. It also fills tables of
 * programs there, of which weft has none that is filled.
 */
static bool may_go_apart(size_t n_insns, const struct bpf_prog_load_opts *options)
{
	return apart.on && apart.n < APART_MAX && n_insns >= LARGE_INSNS && options &&
	       !options->fd_array && !options->log_level;
}

/* libbpf itself calls this in place of its own function: see the Makefile. */
int __wrap_bpf_prog_load(enum bpf_prog_type type, const char *name, const char *license,
			 const struct bpf_insn *insns, size_t n_insns,
			 struct bpf_prog_load_opts *options);

int __wrap_bpf_prog_load(enum bpf_prog_type type, const char *name, const char *license,
			 const struct bpf_insn *insns, size_t n_insns,
			 struct bpf_prog_load_opts *options)
{
	if (may_go_apart(n_insns, options)) {
		const struct load load = { .type = type,
					   .name = name,
					   .license = license,
					   .n_insns = n_insns,
					   .options = *options };
		int fd = load_start(&load, insns);

		if (fd >= 0)
			return fd;
	}
	return bpf_prog_load(type, name, license, insns, n_insns, options);
}

void load_apart_begin(void)
{
	apart.on = true;
}

/* The descriptor that libbpf was given becomes the program's, if it still is the object's. */
static int load_end(const struct load *load, bool keep)
{
	_cleanup_close_ int fd = -1;

	pthread_join(load->thread, NULL);
	free(load->copy);
	fd = load->fd;
	if (fd < 0 || !keep)
		return fd < 0 ? fd : 0;
	return dup3(fd, load->stand_in, O_CLOEXEC) < 0 ? -errno : 0;
}

int load_apart_end(int loaded)
{
	int first = loaded;

	apart.on = false;
	for (size_t i = 0; i < apart.n; i++) {
		int r = load_end(&apart.loads[i], loaded == 0);

		if (first == 0)
			first = r;
	}
	apart.n = 0;
	return first;
}

#else

void load_apart_begin(void)
{
}

int load_apart_end(int loaded)
{
	return loaded;
}

#endif
