/* SPDX-License-Identifier: Apache-2.0 */
#include "attach/loader.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weft.skel.h"

struct loader {
	struct weft_bpf *skeleton;
	struct bpf_link *links[SURFACE_MAX][HOOK_PROGRAMS_MAX];
};

/*
 * libbpf says why a load failed through its print callback only. The last telling line is kept here;
 * loading happens in one thread, once.
 */
static char last_complaint[LOADER_REASON_MAX];

/* The verifier's own verdict is the last line of its log that is not a summary. */
static void keep_complaint(const char *text)
{
	const char *line = text;

	while (line && *line) {
		const char *end = strchrnul(line, '\n');
		size_t len = (size_t)(end - line);

		if (len && len < sizeof(last_complaint) && strncmp(line, "processed ", 10) != 0 &&
		    strncmp(line, "-- END", 6) != 0 && strncmp(line, "libbpf: failed to load", 22) != 0)
			snprintf(last_complaint, sizeof(last_complaint), "%.*s", (int)len, line);
		line = *end ? end + 1 : end;
	}
}

static int libbpf_line(enum libbpf_print_level level, const char *format, va_list arguments)
{
	static char text[1 << 16];

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(text, sizeof(text), format, arguments);
	if (strstr(text, "failed to load object") || strstr(text, "failed to load BPF skeleton") ||
	    strstr(text, ": failed to load: "))
		return 0;
	keep_complaint(text);
	return 0;
}

/* The first name that the kernel's BTF lacks, NULL: it has them all. */
static const char *missing_name(const struct btf *btf, const char *const *names, const char *prefix,
				uint32_t kind)
{
	for (size_t i = 0; i < HOOK_PROGRAMS_MAX && names[i]; i++) {
		char name[128];

		snprintf(name, sizeof(name), "%s%s", prefix, names[i]);
		if (btf__find_by_name_kind(btf, name, kind) < 0)
			return names[i];
	}
	return NULL;
}

static bool hook_is_possible(const struct btf *btf, const struct hook *hook, char *reason)
{
	const char *missing = missing_name(btf, hook->tracepoints, "btf_trace_", BTF_KIND_TYPEDEF);

	if (missing) {
		snprintf(reason, LOADER_REASON_MAX, "this kernel has no tracepoint %s", missing);
		return false;
	}
	missing = missing_name(btf, hook->functions, "", BTF_KIND_FUNC);
	if (missing)
		snprintf(reason, LOADER_REASON_MAX, "this kernel has no function %s", missing);
	return !missing;
}

/* The next hook of a surface that the kernel's BTF allows, behind `after`. */
static int next_hook(const struct btf *btf, const struct surface *surface, int after,
		     struct surface_state *state)
{
	for (size_t i = (size_t)(after + 1); i < surface_hooks(surface); i++)
		if (hook_is_possible(btf, &surface->hooks[i], state->reasons[i]))
			return (int)i;
	return -1;
}

static void autoload(struct weft_bpf *skeleton, const struct hook *hook)
{
	for (size_t i = 0; i < HOOK_PROGRAMS_MAX && hook->programs[i]; i++) {
		struct bpf_program *program =
			bpf_object__find_program_by_name(skeleton->obj, hook->programs[i]);

		if (program)
			bpf_program__set_autoload(program, true);
	}
}

/* Opens and loads a skeleton with the chosen hooks of those surfaces whose bit is in `mask`. */
static int load(const struct loader_options *options, const struct surface_state *state,
		unsigned int mask, struct weft_bpf **ret_skeleton)
{
	struct weft_bpf *skeleton = weft_bpf__open();
	struct bpf_program *program;
	int r;

	if (!skeleton)
		return -errno;
	bpf_object__for_each_program(program, skeleton->obj)
		bpf_program__set_autoload(program, false);
	for (size_t i = 0; i < SURFACE_MAX; i++)
		if (mask & 1u << i && state[i].chosen >= 0)
			autoload(skeleton, &surfaces[i].hooks[state[i].chosen]);
	skeleton->rodata->knobs = options->knobs;
	bpf_map__set_max_entries(skeleton->maps.events, options->ring_size);
	last_complaint[0] = 0;
	r = weft_bpf__load(skeleton);
	if (r < 0) {
		weft_bpf__destroy(skeleton);
		return r;
	}
	*ret_skeleton = skeleton;
	return 0;
}

/* One surface by itself: goes through its hooks until one loads. */
static void choose_alone(const struct loader_options *options, const struct btf *btf, size_t index,
			 struct surface_state *state)
{
	while (state[index].chosen >= 0) {
		struct weft_bpf *skeleton;
		int chosen = state[index].chosen;
		int r = load(options, state, 1u << index, &skeleton);

		if (r == 0) {
			weft_bpf__destroy(skeleton);
			return;
		}
		snprintf(state[index].reasons[chosen], LOADER_REASON_MAX, "%s",
			 last_complaint[0] ? last_complaint : strerror(-r));
		state[index].chosen = next_hook(btf, &surfaces[index], chosen, &state[index]);
	}
}

static int check_required(const struct surface_state *state)
{
	for (size_t i = 0; i < SURFACE_MAX; i++)
		if (surfaces[i].required && state[i].chosen < 0)
			return -EOPNOTSUPP;
	return 0;
}

static int load_best(const struct loader_options *options, const struct btf *btf,
		     struct surface_state *state, struct weft_bpf **ret_skeleton)
{
	const unsigned int all = (1u << SURFACE_MAX) - 1;
	int r = check_required(state);

	if (r < 0)
		return r;
	/* all first choices at once is what works nearly always, and quick */
	r = load(options, state, all, ret_skeleton);
	if (r == 0 || r == -EPERM)
		return r;
	for (size_t i = 0; i < SURFACE_MAX; i++)
		choose_alone(options, btf, i, state);
	r = check_required(state);
	return r < 0 ? r : load(options, state, all, ret_skeleton);
}

int loader_new(const struct loader_options *options, struct surface_state ret_state[SURFACE_MAX],
	       struct loader **ret_loader)
{
	struct loader *loader;
	struct btf *btf;
	int r;

	libbpf_set_print(libbpf_line);
	memset(ret_state, 0, SURFACE_MAX * sizeof(*ret_state));
	btf = btf__load_vmlinux_btf();
	if (!btf)
		return errno == ENOENT || errno == ESRCH ? -ENOENT : -errno;
	loader = calloc(1, sizeof(*loader));
	for (size_t i = 0; i < SURFACE_MAX; i++)
		ret_state[i].chosen = next_hook(btf, &surfaces[i], -1, &ret_state[i]);
	r = loader ? load_best(options, btf, ret_state, &loader->skeleton) : -ENOMEM;
	btf__free(btf);
	if (r < 0) {
		free(loader);
		return r;
	}
	*ret_loader = loader;
	return 0;
}

static int attach_surface(struct loader *loader, size_t index, struct surface_state *state)
{
	const struct hook *hook = &surfaces[index].hooks[state->chosen];

	for (size_t i = 0; i < HOOK_PROGRAMS_MAX && hook->programs[i]; i++) {
		struct bpf_program *program = bpf_object__find_program_by_name(
			loader->skeleton->obj, hook->programs[i]);
		struct bpf_link *link = program ? bpf_program__attach(program) : NULL;

		if (!link) {
			snprintf(state->reasons[state->chosen], LOADER_REASON_MAX,
				 "cannot attach %s: %s", hook->programs[i], strerror(errno));
			return -errno;
		}
		loader->links[index][i] = link;
	}
	return 0;
}

int loader_attach(struct loader *loader, struct surface_state state[SURFACE_MAX])
{
	for (size_t i = 0; i < SURFACE_MAX; i++) {
		if (state[i].chosen < 0 || attach_surface(loader, i, &state[i]) == 0)
			continue;
		state[i].chosen = -1;
	}
	return check_required(state);
}

void loader_detach(struct loader *loader)
{
	for (size_t i = 0; i < SURFACE_MAX; i++) {
		for (size_t j = 0; j < HOOK_PROGRAMS_MAX; j++) {
			bpf_link__destroy(loader->links[i][j]);
			loader->links[i][j] = NULL;
		}
	}
}

int loader_events_fd(const struct loader *loader)
{
	return bpf_map__fd(loader->skeleton->maps.events);
}

int loader_process_events_fd(const struct loader *loader)
{
	return bpf_map__fd(loader->skeleton->maps.process_events);
}

int loader_control_fd(const struct loader *loader)
{
	return bpf_map__fd(loader->skeleton->maps.control);
}

int loader_process_set(struct loader *loader, uint32_t pid, struct process_config config)
{
	return bpf_map_update_elem(bpf_map__fd(loader->skeleton->maps.processes), &pid, &config,
				   BPF_ANY);
}

int loader_process_get(const struct loader *loader, uint32_t pid, struct process_config *ret_config)
{
	return bpf_map_lookup_elem(bpf_map__fd(loader->skeleton->maps.processes), &pid, ret_config);
}

static uint64_t missed_runs(const struct loader *loader)
{
	struct bpf_program *program;
	uint64_t missed = 0;

	bpf_object__for_each_program(program, loader->skeleton->obj) {
		struct bpf_prog_info info = {};
		uint32_t size = sizeof(info);
		int fd = bpf_program__fd(program);

		if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0)
			missed += info.recursion_misses;
	}
	return missed;
}

int loader_counters(const struct loader *loader, struct kernel_counters *ret_counters)
{
	int fd = bpf_map__fd(loader->skeleton->maps.stats);
	int n_cpus = libbpf_num_possible_cpus();
	struct kernel_counters counters = {};
	uint64_t *values;

	if (n_cpus < 0)
		return n_cpus;
	values = calloc((size_t)n_cpus, sizeof(*values));
	if (!values)
		return -ENOMEM;
	for (uint32_t i = 0; i < STAT_MAX; i++) {
		if (bpf_map_lookup_elem(fd, &i, values) < 0)
			continue;
		for (int cpu = 0; cpu < n_cpus; cpu++)
			counters.stats[i] += values[cpu];
	}
	free(values);
	counters.missed = missed_runs(loader);
	*ret_counters = counters;
	return 0;
}

struct loader *loader_free(struct loader *loader)
{
	if (!loader)
		return NULL;
	loader_detach(loader);
	weft_bpf__destroy(loader->skeleton);
	free(loader);
	return NULL;
}
