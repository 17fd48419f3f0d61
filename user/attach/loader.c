/* SPDX-License-Identifier: Apache-2.0 */
#include "attach/loader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "attach/cgroup.h"
#include "attach/choice.h"
#include "attach/kernel_btf.h"
#include "attach/kprobe.h"
#include "attach/library.h"
#include "attach/load_apart.h"
#include "attach/open_sockets.h"
#include "attach/preempt.h"
#include "base/cleanup.h"
#include "base/standard.h"
#include "weft.skel.h"

struct loader {
	struct weft_bpf *skeleton;
	struct bpf_link *links[SURFACE_MAX][HOOK_PROGRAMS_MAX];
	bool messages;		     /* wire_message is attached, which has no link */
	uint32_t there[SURFACE_MAX]; /* bit n: the chosen hook's program n is in use */
	bool kprobes;		     /* some were attached */
	struct kernel_counters base; /* what is not counted */
};

/*
 * libbpf says why a load failed through its print callback only. The last telling line is kept
 * here; loading happens in one thread, once.
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
		    strncmp(line, "-- END", 6) != 0 &&
		    strncmp(line, "libbpf: failed to load", 22) != 0)
			snprintf(last_complaint, sizeof(last_complaint), "%.*s", (int)len, line);
		line = *end ? end + 1 : end;
	}
}

/* Lines that say less than the error number, or guess. */
static const char *const idle_words[] = {
	"failed to load object",   "failed to load BPF skeleton", ": failed to load: ",
	"try raising 'ulimit -l'", "Couldn't load trivial",	  "failed to find valid kernel BTF",
	"-- END LOG --",
};

static int libbpf_line(enum libbpf_print_level level, const char *format, va_list arguments)
{
	static char text[1 << 16];

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(text, sizeof(text), format, arguments);
	for (size_t i = 0; i < sizeof(idle_words) / sizeof(idle_words[0]); i++)
		if (strstr(text, idle_words[i]))
			return 0;
	keep_complaint(text);
	return 0;
}

static void autoload(struct weft_bpf *skeleton, const struct btf *btf, const struct hook *hook)
{
	for (size_t i = 0; i < HOOK_PROGRAMS_MAX && hook->programs[i].name; i++) {
		struct bpf_program *program =
			bpf_object__find_program_by_name(skeleton->obj, hook->programs[i].name);

		if (!program || !choice_has_program(btf, &hook->programs[i]))
			continue;
		bpf_program__set_autoload(program, true);
		if (hook->multi)
			bpf_program__set_expected_attach_type(program, LIBRARY_MULTI);
	}
}

#define UNUSED_ENTRIES 64 /* of a map that nobody uses: memory is taken for all entries at once */

static void without_tls(struct weft_bpf *skeleton)
{
	struct bpf_map *const unused[] = { skeleton->maps.tls_sessions, skeleton->maps.tls_directs,
					   skeleton->maps.tls_reads, skeleton->maps.tls_waiting,
					   skeleton->maps.tls_processes };

	bpf_program__set_autoload(skeleton->progs.socket_tls, false);
	for (size_t i = 0; i < sizeof(unused) / sizeof(unused[0]); i++)
		bpf_map__set_max_entries(unused[i], UNUSED_ENTRIES);
}

#define ALL_SURFACES ((1u << SURFACE_MAX) - 1)

/*
 * Opens and loads a skeleton with the chosen hooks of those surfaces whose bit is in `mask`. Of all
 * at once it is not said why they fail.
 */
static int load(const struct loader_options *options, const struct choice *choice,
		unsigned int mask, struct weft_bpf **ret_skeleton)
{
	struct weft_bpf *skeleton = weft_bpf__open();
	struct bpf_program *program;
	int r;

	if (!skeleton)
		return -errno;
	skeleton->rodata->knobs = options->knobs;
	skeleton->rodata->knobs.recv_arguments =
		(uint8_t)choice_arguments(choice->btf, "tcp_recvmsg");
	skeleton->rodata->knobs.private_stack =
		choice_has_function(choice->btf, "bpf_jit_supports_private_stack");
	bpf_object__for_each_program(program, skeleton->obj)
		bpf_program__set_autoload(program, false);
	for (size_t i = 0; i < SURFACE_MAX; i++) {
		const struct hook *hook = choice_hook(choice, i);

		if (!hook)
			continue;
		if (mask & 1u << i)
			autoload(skeleton, choice->btf, hook);
		skeleton->rodata->knobs.by_address |= hook->by_address;
	}
	if (!options->knobs.tls)
		without_tls(skeleton);
	/* before Linux 6.1 a map that allocates as it goes makes the kernel warn, or refuse kprobes
	 */
	if (skeleton->rodata->knobs.by_address)
		bpf_map__set_map_flags(skeleton->maps.processes, 0);
	bpf_map__set_max_entries(skeleton->maps.events, options->ring_size);
	last_complaint[0] = 0;
	if (mask == ALL_SURFACES)
		load_apart_begin();
	r = load_apart_end(weft_bpf__load(skeleton));
	if (r < 0) {
		weft_bpf__destroy(skeleton);
		return r;
	}
	*ret_skeleton = skeleton;
	return 0;
}

/* One surface by itself: goes through its hooks until one loads. */
static void choose_alone(const struct loader_options *options, const struct choice *choice,
			 size_t index)
{
	struct surface_state *state = &choice->state[index];

	while (state->chosen >= 0) {
		struct weft_bpf *skeleton;
		int r = load(options, choice, 1u << index, &skeleton);

		if (r == 0) {
			weft_bpf__destroy(skeleton);
			return;
		}
		snprintf(state->reasons[state->chosen], LOADER_REASON_MAX, "%s",
			 last_complaint[0] ? last_complaint : strerror(-r));
		choice_next(choice, index);
	}
}

static int check_required(const struct surface_state *state)
{
	for (size_t i = 0; i < SURFACE_MAX; i++)
		if (surfaces[i].required && state[i].chosen < 0)
			return -EOPNOTSUPP;
	return 0;
}

static bool nothing_chosen(const struct choice *choice)
{
	for (size_t i = 0; i < SURFACE_MAX; i++)
		if (choice_hook(choice, i))
			return false;
	return true;
}

static int load_best(const struct loader_options *options, const struct choice *choice,
		     struct weft_bpf **ret_skeleton)
{
	int first, r = check_required(choice->state);

	if (r < 0)
		return r;
	/* all first choices at once is what works nearly always, and quick */
	first = load(options, choice, ALL_SURFACES, ret_skeleton);
	if (first == 0)
		return 0;
	for (size_t i = 0; i < SURFACE_MAX; i++)
		choose_alone(options, choice, i);
	/* one kind of program may be forbidden, or all of them */
	if (first == -EPERM && nothing_chosen(choice))
		return -EPERM;
	r = check_required(choice->state);
	return r < 0 ? r : load(options, choice, ALL_SURFACES, ret_skeleton);
}

/* -errno. */
static int attach_kernel(struct loader *loader, struct bpf_program *program, const char *function,
			 struct bpf_link **ret_link)
{
	struct bpf_link *link;

	if (kprobe_is(program)) {
		loader->kprobes = true;
		link = kprobe_attach(program, function);
	} else {
		link = bpf_program__attach(program);
	}
	if (!link)
		return -errno;
	*ret_link = link;
	return 0;
}

static int attach_cgroup(struct bpf_program *program, struct bpf_link **ret_link)
{
	_cleanup_close_ int fd = cgroup_root_open();
	struct bpf_link *link;

	if (fd < 0)
		return fd;
	link = bpf_program__attach_cgroup(program, fd);
	if (!link)
		return -errno;
	*ret_link = link;
	return 0;
}

/* Links of this kind are younger than Linux 5.15. The map lets go of the program with its last
 * user. */
static int attach_messages(struct loader *loader, struct bpf_program *program)
{
	if (bpf_prog_attach(bpf_program__fd(program),
			    bpf_map__fd(loader->skeleton->maps.wire_socks), BPF_SK_MSG_VERDICT,
			    0) < 0)
		return -errno;
	loader->messages = true;
	return 0;
}

static void detach_messages(struct loader *loader)
{
	if (!loader->messages)
		return;
	bpf_prog_detach2(bpf_program__fd(loader->skeleton->progs.wire_message),
			 bpf_map__fd(loader->skeleton->maps.wire_socks), BPF_SK_MSG_VERDICT);
	loader->messages = false;
}

/* The kernel takes it if it is of the same prototype as the programs that go on with it. */
static int put_next(const struct bpf_map *map, const struct bpf_program *program, uint32_t slot)
{
	int fd = bpf_program__fd(program);

	if (fd < 0) /* the options leave no use for it */
		return 0;
	return bpf_map_update_elem(bpf_map__fd(map), &slot, &fd, BPF_ANY) < 0 ? -errno : 0;
}

static int attach_program(struct loader *loader, const struct hook_program *row,
			  struct bpf_link **ret_link)
{
	struct bpf_program *program =
		bpf_object__find_program_by_name(loader->skeleton->obj, row->name);
	struct open_sockets counts = {};

	if (!program)
		return -ENOENT;
	switch (row->place) {
	case PLACE_CGROUP:
		return attach_cgroup(program, ret_link);
	case PLACE_SOCKETS:
		return attach_messages(loader, program);
	case PLACE_LIBRARY:
		return 0;
	case PLACE_NEXT:
		return put_next(loader->skeleton->maps.socket_next, program, row->slot);
	case PLACE_LIBRARY_NEXT:
		return put_next(loader->skeleton->maps.library_next, program, row->slot);
	case PLACE_SEQUENCE:
		return open_sockets_reach(bpf_program__fd(program), &counts);
	case PLACE_KERNEL:
		break;
	}
	return attach_kernel(loader, program, row->function, ret_link);
}

/* Attaches the first `n` programs of the surface's hook. */
static int attach_surface(struct loader *loader, size_t index, size_t n,
			  struct surface_state *state)
{
	const struct hook *hook = &surfaces[index].hooks[state->chosen];

	for (size_t i = 0; i < n && hook->programs[i].name; i++) {
		int r;

		if (!(loader->there[index] & 1u << i))
			continue;
		r = attach_program(loader, &hook->programs[i], &loader->links[index][i]);
		if (r < 0) {
			snprintf(state->reasons[state->chosen], LOADER_REASON_MAX,
				 "cannot attach %s: %s", hook->programs[i].name,
				 r == -ENOTDIR ? "no cgroup v2 hierarchy is mounted"
					       : strerror(-r));
			return r;
		}
	}
	return 0;
}

/* A link is gone with the last descriptor of it: this process', unless a child has it, too. */
static void detach_surface(struct loader *loader, size_t index)
{
	for (size_t i = 0; i < HOOK_PROGRAMS_MAX; i++) {
		bpf_link__destroy(loader->links[index][i]);
		loader->links[index][i] = NULL;
	}
	if (index == SURFACE_WIRE)
		detach_messages(loader);
}

static void note_there(struct loader *loader, const struct choice *choice)
{
	for (size_t i = 0; i < SURFACE_MAX; i++) {
		const struct hook *hook = choice_hook(choice, i);

		loader->there[i] = 0;
		for (size_t j = 0; hook && j < HOOK_PROGRAMS_MAX && hook->programs[j].name; j++)
			if (choice_has_program(choice->btf, &hook->programs[j]))
				loader->there[i] |= 1u << j;
	}
}

/*
 * Programs on functions may load and then not attach (arm64 before Linux 6.4), and perf needs
 * tracefs, so one is tried while there still is a choice. True: every surface keeps its hook.
 */
static bool try_attach(struct loader *loader, const struct choice *choice)
{
	bool all = true;

	for (size_t i = 0; i < SURFACE_MAX; i++) {
		const struct hook *hook = choice_hook(choice, i);
		struct surface_state *state = &choice->state[i];
		int r;

		if (!hook || (!hook->programs[0].function && !hook->by_address &&
			      hook->programs[0].place != PLACE_LIBRARY &&
			      hook->programs[0].place != PLACE_NEXT))
			continue;
		if (hook->programs[0].place == PLACE_LIBRARY)
			r = library_try(loader,
					i == SURFACE_DIRECT ? LIBRARY_GO_WRITE : LIBRARY_RECV,
					hook->multi, state->reasons[state->chosen]);
		else
			r = attach_surface(loader, i, 1, state);
		detach_surface(loader, i);
		if (loader->kprobes)
			kprobe_clean();
		if (r == 0)
			continue;
		choice_next(choice, i);
		all = false;
	}
	return all;
}

/* Goes on until all that was chosen loads and attaches: at the latest when no hook is left. */
static int choose(struct loader *loader, const struct loader_options *options,
		  const struct choice *choice)
{
	for (size_t i = 0; i < SURFACE_MAX; i++)
		choice_next(choice, i);
	for (;;) {
		int r = load_best(options, choice, &loader->skeleton);

		if (r < 0)
			return r;
		note_there(loader, choice);
		if (try_attach(loader, choice))
			return 0;
		weft_bpf__destroy(loader->skeleton);
		loader->skeleton = NULL;
	}
}

int loader_new(const struct loader_options *options, struct surface_state ret_state[SURFACE_MAX],
	       struct loader **ret_loader)
{
	const struct wire_config nothing_yet = { .mode = WIRE_OFF, .test_pid = TEST_PID_NONE };
	struct choice choice = { .hooks_off = options->hooks_off,
				 .state = ret_state,
				 .preempts = preempt_is_on() };
	struct btf *btf;
	struct loader *loader;
	int r;

	/* libbpf before 1.0 tells of errors in another way, unless it is told not to */
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	libbpf_set_print(libbpf_line);
	choice_init(&choice);
	btf = kernel_btf_load();
	if (!btf)
		return errno == ENOENT || errno == ESRCH ? -ENOENT : -errno;
	choice.btf = btf;
	loader = calloc(1, sizeof(*loader));
	r = loader ? choose(loader, options, &choice) : -ENOMEM;
	kernel_btf_free(btf);
	if (r == 0)
		r = loader_wire_set(loader, nothing_yet);
	if (r < 0) {
		loader_free(loader);
		return r;
	}
	*ret_loader = loader;
	return 0;
}

int loader_attach(struct loader *loader, struct surface_state state[SURFACE_MAX])
{
	for (size_t i = 0; i < SURFACE_MAX; i++) {
		if (state[i].chosen < 0 ||
		    attach_surface(loader, i, HOOK_PROGRAMS_MAX, &state[i]) == 0)
			continue;
		state[i].chosen = -1;
	}
	return check_required(state);
}

void loader_detach_surface(struct loader *loader, enum surface_id surface)
{
	detach_surface(loader, surface);
}

static void detach_all(struct loader *loader)
{
	for (size_t i = 0; i < SURFACE_MAX; i++)
		detach_surface(loader, i);
}

void loader_detach(struct loader *loader)
{
	detach_all(loader);
	if (loader->kprobes)
		kprobe_clean();
}

/* Detaches once the parent has closed its end of the pipe, and its links before. */
static _Noreturn void detach_after(struct loader *loader, const int pipe_ends[2])
{
	char end;

	prctl(PR_SET_NAME, "weft-detach");
	standard_leave();
	close(pipe_ends[1]);
	while (read(pipe_ends[0], &end, sizeof(end)) < 0 && errno == EINTR)
		;
	loader_detach(loader);
	_exit(0);
}

int loader_detach_apart(struct loader *loader, pid_t *ret_child)
{
	int ends[2];
	pid_t child;

	/* at once, and quickly: nothing more is written to the wire */
	detach_surface(loader, SURFACE_WIRE);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child == 0)
		detach_after(loader, ends);
	if (child > 0) {
		detach_all(loader);
		/* what is left in tracefs is the child's, too: to ask would be to wait for it */
		loader->kprobes = false;
	}
	close(ends[0]);
	close(ends[1]);
	if (child < 0)
		return -EAGAIN;
	*ret_child = child;
	return 0;
}

int loader_events_fd(const struct loader *loader)
{
	return bpf_map__fd(loader->skeleton->maps.events);
}

int loader_process_events_fd(const struct loader *loader)
{
	return bpf_map__fd(loader->skeleton->maps.process_events);
}

size_t loader_process_events_size(const struct loader *loader)
{
	return bpf_map__max_entries(loader->skeleton->maps.process_events);
}

int loader_control_fd(const struct loader *loader)
{
	return bpf_map__fd(loader->skeleton->maps.control);
}

int loader_wire_socks_fd(const struct loader *loader)
{
	return bpf_map__fd(loader->skeleton->maps.wire_socks);
}

int loader_open_sockets_fd(const struct loader *loader)
{
	int fd = bpf_program__fd(loader->skeleton->progs.open_socket);

	return fd < 0 ? -ENOENT : fd;
}

int loader_enrolment(const struct loader *loader, struct enrolment *ret_enrolment)
{
	const struct bpf_link *link = loader->links[SURFACE_WIRE][0];

	if (!link || !loader->messages)
		return -ENOENT;
	*ret_enrolment = (struct enrolment){ {
		[ENROLMENT_LINK] = bpf_link__fd(link),
		[ENROLMENT_SOCKS] = loader_wire_socks_fd(loader),
		[ENROLMENT_CONFIG] = bpf_map__fd(loader->skeleton->maps.wire),
	} };
	return 0;
}

int loader_options_fd(const struct loader *loader)
{
	return bpf_map__fd(loader->skeleton->maps.options);
}

int loader_program_fd(const struct loader *loader, const char *name)
{
	const struct bpf_program *program =
		bpf_object__find_program_by_name(loader->skeleton->obj, name);
	int fd = program ? bpf_program__fd(program) : -1;

	return fd < 0 ? -ENOENT : fd;
}

int loader_process_set(struct loader *loader, uint32_t pid, struct process_config config)
{
	if (config.flags & PROCESS_F_SELECTED)
		loader->skeleton->bss->process_marks[PROCESS_MARK_OF(pid)] = 1;
	return bpf_map_update_elem(bpf_map__fd(loader->skeleton->maps.processes), &pid, &config,
				   BPF_ANY);
}

int loader_process_renew(struct loader *loader, uint32_t pid, struct process_config config)
{
	return bpf_map_update_elem(bpf_map__fd(loader->skeleton->maps.processes), &pid, &config,
				   BPF_EXIST);
}

int loader_process_forget(struct loader *loader, uint32_t pid)
{
	return bpf_map_delete_elem(bpf_map__fd(loader->skeleton->maps.processes), &pid);
}

int loader_process_get(const struct loader *loader, uint32_t pid, struct process_config *ret_config)
{
	return bpf_map_lookup_elem(bpf_map__fd(loader->skeleton->maps.processes), &pid, ret_config);
}

int loader_wire_set(struct loader *loader, struct wire_config config)
{
	const uint32_t slot = 0;

	return bpf_map_update_elem(bpf_map__fd(loader->skeleton->maps.wire), &slot, &config,
				   BPF_ANY);
}

static uint64_t missed_runs(const struct loader *loader)
{
	struct bpf_program *program;
	uint64_t missed = 0;

	bpf_object__for_each_program(program, loader->skeleton->obj)
	{
		struct bpf_prog_info info = {};
		uint32_t size = sizeof(info);
		int fd = bpf_program__fd(program);

		if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0)
			missed += info.recursion_misses;
	}
	return loader->kprobes ? missed + kprobe_missed() : missed;
}

/* Since the programs were loaded. */
static int all_counters(const struct loader *loader, struct kernel_counters *ret_counters)
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

int loader_counters(const struct loader *loader, struct kernel_counters *ret_counters)
{
	int r = all_counters(loader, ret_counters);

	if (r < 0)
		return r;
	for (size_t i = 0; i < STAT_MAX; i++)
		ret_counters->stats[i] -= loader->base.stats[i];
	ret_counters->missed -= loader->base.missed;
	return 0;
}

int loader_processors(void)
{
	return libbpf_num_possible_cpus();
}

/* The kernel reads and writes one place for each processor, whatever room there is. */
static bool has_place_for_each(size_t n)
{
	int processors = loader_processors();

	return processors >= 0 && (size_t)processors == n;
}

int loader_walk_ns(const struct loader *loader, uint64_t *ret_ns, size_t n)
{
	uint32_t key = STAT_WALK_NS;

	if (!has_place_for_each(n))
		return -EINVAL;
	return bpf_map_lookup_elem(bpf_map__fd(loader->skeleton->maps.stats), &key, ret_ns) < 0
		       ? -errno
		       : 0;
}

int loader_follow_set(struct loader *loader, const uint64_t *follow_ns, size_t n)
{
	uint32_t key = 0;

	if (!has_place_for_each(n))
		return -EINVAL;
	return bpf_map_update_elem(bpf_map__fd(loader->skeleton->maps.follow), &key, follow_ns,
				   BPF_ANY) < 0
		       ? -errno
		       : 0;
}

int loader_tls_direct(const struct loader *loader, uint32_t pid)
{
	const uint8_t yes = 1;

	return bpf_map_update_elem(bpf_map__fd(loader->skeleton->maps.tls_processes), &pid, &yes,
				   BPF_ANY) < 0
		       ? -errno
		       : 0;
}

int loader_counters_restart(struct loader *loader)
{
	return all_counters(loader, &loader->base);
}

struct loader *loader_free(struct loader *loader)
{
	if (!loader)
		return NULL;
	if (loader->skeleton)
		loader_detach(loader);
	weft_bpf__destroy(loader->skeleton);
	free(loader);
	return NULL;
}
