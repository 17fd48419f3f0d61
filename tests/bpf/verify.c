/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: verify [OBJECT]. Loads every program of the table of hooks by itself, from the object that
 * is named or the one within weft, and prints a line for each, columns apart by tabs:
 *
 *	NAME  loaded  INSTRUCTIONS  STACK
 *	NAME  absent | forbidden | rejected  REASON
 *
 * NAME is the program's, with @sk where state is kept by the socket's address (knobs.by_address).
 * INSTRUCTIONS is how many of them the verifier processed, STACK the bytes of the deepest chain of
 * calls as kernels before Linux 6.8 count them, 0: not known; both are in the verifier's log of all
 * kernels.
 * Options are those that leave the most of the code in it.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if __has_include(<bpf/libbpf_version.h>)
#include <bpf/libbpf_version.h>
#endif

#include "attach/choice.h"
#include "attach/kernel_btf.h"
#include "bpf/abi/config.h"
#include "bpf/abi/context.h"
#include "weft.skel.h"

#define LOG_SIZE	(1 << 20)
#define OBJECT_SIZE_MAX (8 << 20)
#define SUBPROGRAMS_MAX 256
#define CHAIN_MAX	8  /* calls, as in the kernel */
#define LOG_SUMMARY	4  /* BPF_LOG_STATS */
#define STACK_UNIT	32 /* a frame is rounded up to it; check_max_stack_depth() */

struct verification {
	const struct btf *btf; /* the kernel's */
	void *object;	       /* instead of the one within weft, or NULL */
	size_t object_size;
	char *log;
	int failed;
};

static void told(const char *program, bool by_address, const char *outcome, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void told(const char *program, bool by_address, const char *outcome, const char *format, ...)
{
	va_list arguments;

	printf("%s%s\t%s\t", program, by_address ? "@sk" : "", outcome);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
}

/* A program's subprograms, the program itself being the first, in the order of their places. */
struct layout {
	const struct bpf_insn *insns;
	size_t n_insns;
	size_t starts[SUBPROGRAMS_MAX];
	unsigned int stacks[SUBPROGRAMS_MAX];
	size_t n;
};

#if defined(LIBBPF_MAJOR_VERSION) && (LIBBPF_MAJOR_VERSION > 0 || LIBBPF_MINOR_VERSION >= 7)

static bool is_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL;
}

static bool is_callback(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW) && insn->src_reg == BPF_PSEUDO_FUNC;
}

static size_t target(const struct layout *layout, size_t at)
{
	return at + 1 + (size_t)(ptrdiff_t)layout->insns[at].imm;
}

static int add_start(struct layout *layout, size_t start)
{
	size_t i = layout->n;

	for (size_t j = 0; j < layout->n; j++)
		if (layout->starts[j] == start)
			return 0;
	if (layout->n == SUBPROGRAMS_MAX)
		return -E2BIG;
	for (; i > 0 && layout->starts[i - 1] > start; i--)
		layout->starts[i] = layout->starts[i - 1];
	layout->starts[i] = start;
	layout->n++;
	return 0;
}

static int layout_init(struct layout *layout, const struct bpf_program *program)
{
	int r;

	*layout = (struct layout){ .insns = bpf_program__insns(program),
				   .n_insns = bpf_program__insn_cnt(program) };
	r = add_start(layout, 0);
	for (size_t i = 0; r == 0 && i < layout->n_insns; i++)
		if (is_call(&layout->insns[i]) || is_callback(&layout->insns[i]))
			r = add_start(layout, target(layout, i));
	return r;
}

/* "stack depth 104+72+0": in the order of the subprograms. Gives how many are there. */
static size_t read_sum(struct layout *layout, const char *log)
{
	const char *at = strstr(log, "stack depth ");
	size_t n = 0;
	int len;

	for (at = at ? at + strlen("stack depth ") : NULL;
	     at && n < layout->n && sscanf(at, "%u%n", &layout->stacks[n], &len) == 1; n++) {
		at += len;
		if (*at != '+') {
			n++;
			break;
		}
		at++;
	}
	return n;
}

/* The same as Linux 7.3 has it: "subprog 0 (sock_send) main insns_self ... stack 104", a line each.
 */
static size_t read_lines(struct layout *layout, const char *log)
{
	size_t n = 0;

	for (const char *at = log; n < layout->n && (at = strstr(at, "\nsubprog ")); n++) {
		const char *stack = strstr(++at, " stack "), *end = strchr(at, '\n');

		if (!stack || (end && stack > end) ||
		    sscanf(stack, " stack %u", &layout->stacks[n]) != 1)
			break;
	}
	return n;
}

static int read_stacks(struct layout *layout, const char *log)
{
	size_t n = read_sum(layout, log);

	if (!n)
		n = read_lines(layout, log);
	if (n == layout->n)
		return 0;
	/* it has taken out functions that the options leave no use for, and does not say which */
	return n ? -ENODATA : -EBADMSG;
}

static size_t subprogram_at(const struct layout *layout, size_t start)
{
	size_t i = 0;

	while (i < layout->n && layout->starts[i] != start)
		i++;
	return i;
}

/* Bytes of the deepest chain that begins with the subprogram; dead code counts, as it does there.
 */
static unsigned int deepest(const struct layout *layout, size_t index, unsigned int frames)
{
	size_t end = index + 1 < layout->n ? layout->starts[index + 1] : layout->n_insns;
	unsigned int own = layout->stacks[index] ? layout->stacks[index] : 1;
	unsigned int below = 0;

	for (size_t i = layout->starts[index]; i < end && frames < CHAIN_MAX; i++) {
		unsigned int depth;

		if (!is_call(&layout->insns[i]) && !is_callback(&layout->insns[i]))
			continue;
		depth = deepest(layout, subprogram_at(layout, target(layout, i)), frames + 1);
		if (depth > below)
			below = depth;
	}
	return (own + STACK_UNIT - 1) / STACK_UNIT * STACK_UNIT + below;
}

static struct weft_bpf *open_skeleton(const struct verification *all)
{
	struct weft_bpf *skeleton = calloc(1, sizeof(*skeleton));

	if (!skeleton || weft_bpf__create_skeleton(skeleton) < 0) {
		free(skeleton);
		return NULL;
	}
	if (all->object) {
		skeleton->skeleton->data = all->object;
		skeleton->skeleton->data_sz = all->object_size;
	}
	if (bpf_object__open_skeleton(skeleton->skeleton, NULL) < 0) {
		weft_bpf__destroy(skeleton);
		return NULL;
	}
	return skeleton;
}

/* What leaves no branch out. */
static void set_knobs(const struct verification *all, struct weft_knobs *knobs, bool by_address)
{
	*knobs = (struct weft_knobs){
		.request_head_max = 8192,
		.response_head_max = 8192,
		.n_ports = CONFIG_PORTS_MAX,
		.by_address = by_address,
		.recv_arguments = (uint8_t)choice_arguments(all->btf, "tcp_recvmsg"),
		.sampler_parent_based = 1,
		.sampler_root = SAMPLER_RATIO,
		.inject = INJECT_AUTO,
		.tcp_option = 1,
		.secret = 1,
		.sampler_threshold = SAMPLER_THRESHOLD_NONE / 2,
		.netns = 1,
		.tls = 1,
		.n_propagate_to = CONFIG_RANGES_MAX,
		.n_propagate_trust = CONFIG_RANGES_MAX,
	};
	for (__u64 i = 1; i < PROPAGATOR_MAX; i++)
		knobs->propagators |= i << (i - 1) * PROPAGATOR_BITS;
}

/* The last line that the verifier wrote before its summary. */
static const char *verdict(char *log)
{
	char *end = strstr(log, "processed ");
	char *line;

	if (end)
		*end = '\0';
	for (size_t len = strlen(log); len && log[len - 1] == '\n'; len--)
		log[len - 1] = '\0';
	line = strrchr(log, '\n');
	return line ? line + 1 : log;
}

static int tell_loaded(const struct verification *all, const struct bpf_program *program,
		       bool by_address)
{
	const char *summary = strstr(all->log, "processed ");
	struct layout layout;
	unsigned int insns;
	bool has_stack;
	int r = layout_init(&layout, program);

	if (r == 0)
		r = read_stacks(&layout, all->log);
	has_stack = r == 0;
	if (r == -ENODATA)
		r = 0;
	if (r == 0 && (!summary || sscanf(summary, "processed %u", &insns) != 1))
		r = -EBADMSG;
	if (r < 0)
		told(bpf_program__name(program), by_address, "rejected",
		     "the verifier's log is not understood (%s): %.60s", strerror(-r), all->log);
	else
		told(bpf_program__name(program), by_address, "loaded", "%u\t%u", insns,
		     has_stack ? deepest(&layout, 0, 0) : 0);
	return r;
}

/* A program that the verifier did not come to see was forbidden. */
static void tell_refused(const struct verification *all, const struct bpf_program *program,
			 bool by_address, int error)
{
	bool forbidden = error == -EPERM && all->log[0] == '\0';

	told(bpf_program__name(program), by_address, forbidden ? "forbidden" : "rejected", "%s: %s",
	     strerror(-error), verdict(all->log));
}

/* -errno: refused, or the answer was not understood. */
static int verify(const struct verification *all, const char *name, bool by_address)
{
	struct weft_bpf *skeleton = open_skeleton(all);
	struct bpf_program *program, *other;
	int r;

	if (!skeleton)
		return -errno;
	bpf_object__for_each_program(other, skeleton->obj) bpf_program__set_autoload(other, false);
	program = bpf_object__find_program_by_name(skeleton->obj, name);
	if (!program) {
		told(name, by_address, "rejected", "the object has no such program");
		weft_bpf__destroy(skeleton);
		return -ENOENT;
	}
	bpf_program__set_autoload(program, true);
	set_knobs(all, &skeleton->rodata->knobs, by_address);
	if (by_address)
		bpf_map__set_map_flags(skeleton->maps.processes, 0); /* as in attach/loader.c */
	all->log[0] = '\0';
	bpf_program__set_log_buf(program, all->log, LOG_SIZE);
	bpf_program__set_log_level(program, LOG_SUMMARY);
	r = weft_bpf__load(skeleton);
	if (r < 0)
		tell_refused(all, program, by_address, r);
	else
		r = tell_loaded(all, program, by_address);
	weft_bpf__destroy(skeleton);
	return r;
}

#else

static int verify(const struct verification *all, const char *name, bool by_address)
{
	(void)all;
	told(name, by_address, "absent", "libbpf before 0.7 cannot tell");
	return 0;
}

#endif

/* Several hooks, and several rows of one, may name a program. */
static bool was_seen(const struct surface *surface, const struct hook *hook,
		     const struct hook_program *row)
{
	for (const struct hook *other = surface->hooks; other <= hook; other++)
		for (const struct hook_program *seen = other->programs;
		     seen < other->programs + HOOK_PROGRAMS_MAX && seen->name; seen++) {
			if (seen == row)
				return false;
			if (strcmp(seen->name, row->name) == 0 &&
			    other->by_address == hook->by_address)
				return true;
		}
	return false;
}

/* Has this kernel what the program hooks in one of the rows that name it? */
static bool is_possible(const struct verification *all, const struct surface *surface,
			const char *name)
{
	for (size_t i = 0; i < surface_hooks(surface); i++)
		for (size_t j = 0; j < HOOK_PROGRAMS_MAX; j++) {
			struct hook_program row = surface->hooks[i].programs[j];

			row.if_there = true;
			if (row.name && strcmp(row.name, name) == 0 &&
			    choice_has_program(all->btf, &row))
				return true;
		}
	return false;
}

static void verify_row(struct verification *all, const struct surface *surface,
		       const struct hook_program *row, bool by_address)
{
	if (is_possible(all, surface, row->name))
		all->failed += verify(all, row->name, by_address) < 0;
	else
		told(row->name, by_address, "absent", "this kernel has no %s of that form",
		     row->function ? row->function : row->tracepoint);
	fflush(stdout);
}

/* What is not the sockets' hook itself goes with each of them. */
static void verify_surface(struct verification *all, enum surface_id id)
{
	const struct surface *surface = &surfaces[id];

	for (size_t i = 0; i < surface_hooks(surface); i++) {
		const struct hook *hook = &surface->hooks[i];

		for (size_t j = 0; j < HOOK_PROGRAMS_MAX && hook->programs[j].name; j++) {
			const struct hook_program *row = &hook->programs[j];

			if (was_seen(surface, hook, row))
				continue;
			verify_row(all, surface, row, hook->by_address);
			if (id != SURFACE_SOCKET_DATA)
				verify_row(all, surface, row, true);
		}
	}
}

static int read_object(struct verification *all, const char *path)
{
	FILE *file = fopen(path, "rb");

	if (!file)
		return -errno;
	all->object = malloc(OBJECT_SIZE_MAX);
	if (all->object)
		all->object_size = fread(all->object, 1, OBJECT_SIZE_MAX, file);
	fclose(file);
	return all->object_size ? 0 : -EIO;
}

static int silent(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

int main(int argc, char **argv)
{
	struct verification all = { .log = malloc(LOG_SIZE) };
	struct btf *btf;
	int r = argc > 1 ? read_object(&all, argv[1]) : 0;

	if (r < 0 || !all.log) {
		fprintf(stderr, "verify: %s: %s\n", argc > 1 ? argv[1] : "", strerror(-r));
		return 2;
	}
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	libbpf_set_print(silent);
	btf = kernel_btf_load();
	if (!btf) {
		fprintf(stderr, "verify: the kernel's types: %s\n", strerror(errno));
		return 2;
	}
	all.btf = btf;
	for (enum surface_id id = 0; id < SURFACE_MAX; id++)
		verify_surface(&all, id);
	kernel_btf_free(btf);
	free(all.object);
	free(all.log);
	return all.failed ? 1 : 0;
}
