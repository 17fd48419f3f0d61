/* SPDX-License-Identifier: Apache-2.0 */
#include "watcher/libraries.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach/library.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "discover/tls_cache.h"
#include "discover/tls_library.h"

#define FILES_MAX    128 /* with probes, and without, at a time */
#define USERS_MAX    32	 /* processes of a file that are known; it stays while one of them lives */
#define EXPECTED_MAX 256 /* programs that were executed a moment ago */
#define BARREN_MAX   512
#define OTHERS_BYTES (512 << 20) /* of files that are looked through for one process */
/* A program maps its libraries within milliseconds; one that loads them later is met when it first
 * speaks TLS. */
static const uint64_t looks_us[] = { 5000, 25000, 150000, 1000000 };

#define N_LOOKS (sizeof(looks_us) / sizeof(looks_us[0]))
/* How exactly the timer keeps to it. */
#define LOOK_ACCURACY_US 1000

struct library_file {
	dev_t device;
	ino_t inode;
	bool permanent;		    /* the system's own */
	bool direct;		    /* processes are to be told of: tls_library.h */
	struct library_links links; /* none: there is nothing to set probes into */
	size_t n_users;
	pid_t users[USERS_MAX];
};

/* A file of no library's name that has none within it. */
struct barren {
	dev_t device;
	ino_t inode;
	off_t size;
	time_t changed_s;
};

struct expected {
	pid_t pid;
	uint64_t since_us;
	unsigned int look; /* index of the next one */
};

/* Of a surface. */
struct means {
	bool on, multi;
};

struct libraries {
	const struct loader *loader;
	const char *proc;
	struct means libraries, direct; /* how probes are set into them */
	bool stepped;			/* also where the processor has to step */
	struct library_file files[FILES_MAX];
	size_t n_files;
	struct expected expected[EXPECTED_MAX];
	size_t n_expected;
	sd_event_source *timer;
	pid_t looked_at; /* whose files are found */
	bool permanent;	 /* what is found stays */
	off_t budget;	 /* bytes of other files that may be looked through */
	struct barren barren[BARREN_MAX];
	size_t next_barren;
	struct tls_cache cache;
};

static struct means means_of(const struct surface_state *state, enum surface_id surface)
{
	int chosen = state[surface].chosen;

	if (chosen < 0)
		return (struct means){ .on = false };
	return (struct means){ .on = true, .multi = surfaces[surface].hooks[chosen].multi };
}

int libraries_new(const struct loader *loader, const struct surface_state *state, bool stepped,
		  const char *proc, struct libraries **ret_libraries)
{
	struct libraries *libraries = calloc(1, sizeof(*libraries));

	if (!libraries)
		return -ENOMEM;
	libraries->loader = loader;
	libraries->proc = proc;
	libraries->stepped = stepped;
	libraries->libraries = means_of(state, SURFACE_LIBRARIES);
	libraries->direct = means_of(state, SURFACE_DIRECT);
	*ret_libraries = libraries;
	return 0;
}

static struct library_file *file_find(struct libraries *libraries, const struct stat *file)
{
	for (size_t i = 0; i < libraries->n_files; i++)
		if (libraries->files[i].device == file->st_dev &&
		    libraries->files[i].inode == file->st_ino)
			return &libraries->files[i];
	return NULL;
}

static void file_remove(struct libraries *libraries, struct library_file *file)
{
	library_detach(&file->links);
	*file = libraries->files[--libraries->n_files];
}

static struct library_file *file_add(struct libraries *libraries, const struct stat *file)
{
	struct library_file *added;

	if (libraries->n_files == FILES_MAX)
		return NULL;
	added = &libraries->files[libraries->n_files++];
	*added = (struct library_file){ .device = file->st_dev, .inode = file->st_ino };
	return added;
}

static bool is_user(const struct library_file *file, pid_t pid)
{
	for (size_t i = 0; i < file->n_users; i++)
		if (file->users[i] == pid)
			return true;
	return false;
}

static void file_use(const struct libraries *libraries, struct library_file *file, pid_t pid)
{
	if (!pid || is_user(file, pid))
		return;
	if (file->direct)
		loader_tls_direct(libraries->loader, (uint32_t)pid);
	if (file->n_users < USERS_MAX)
		file->users[file->n_users++] = pid;
	else
		file->users[0] = pid;
}

static const enum library_call calls[] = {
	[TLS_FUNCTION_SEND] = LIBRARY_SEND,
	[TLS_FUNCTION_RECV] = LIBRARY_RECV,
	[TLS_FUNCTION_RECV_AT] = LIBRARY_RECV_AT,
	[TLS_FUNCTION_GO_WRITE] = LIBRARY_GO_WRITE,
	[TLS_FUNCTION_GO_READ] = LIBRARY_GO_READ,
	[TLS_FUNCTION_GO_RETURN] = LIBRARY_GO_RETURN,
	[TLS_FUNCTION_RUST_WRITE] = LIBRARY_RUST_WRITE,
	[TLS_FUNCTION_RUST_READ] = LIBRARY_RUST_READ,
};

_Static_assert(sizeof(calls) / sizeof(calls[0]) == TLS_FUNCTION_KINDS, "each kind has a probe");

static bool is_stepped(const struct tls_library *library)
{
	for (size_t i = 0; i < library->n_functions; i++)
		if (library->functions[i].stepped)
			return true;
	return false;
}

static int file_attach(struct libraries *libraries, struct library_file *file, int fd,
		       struct view path)
{
	struct library_probe probes[TLS_FUNCTIONS_MAX];
	struct tls_library library;
	uint64_t begin = clock_monotonic_ns();
	const struct means *means;
	int r = tls_library_read(fd, &libraries->cache, &library);

	if (r < 0)
		return r;
	means = library.direct ? &libraries->direct : &libraries->libraries;
	if (!means->on)
		return -ENOENT;
	if (!libraries->stepped && is_stepped(&library)) {
		log_debug("%s in %.*s: probes there cost too much on this host", library.name,
			  (int)path.len, path.data);
		return -ENOENT;
	}
	for (size_t i = 0; i < library.n_functions; i++)
		probes[i] = (struct library_probe){ .call = calls[library.functions[i].kind],
						    .offset = library.functions[i].offset };
	r = library_attach(libraries->loader, means->multi, fd, probes, library.n_functions,
			   &file->links);
	if (r < 0)
		return r;
	file->direct = library.direct;
	log_debug("%s in %.*s, build id %s: %zu functions are probed, found by %s, after %.1f ms",
		  library.name, (int)path.len, path.data,
		  library.build_id[0] ? library.build_id : "none", library.n_functions,
		  library.found_by, (double)(clock_monotonic_ns() - begin) / NS_PER_MS);
	return 0;
}

static bool is_barren(const struct libraries *libraries, const struct stat *file)
{
	for (size_t i = 0; i < BARREN_MAX; i++) {
		const struct barren *barren = &libraries->barren[i];

		if (barren->inode == file->st_ino && barren->device == file->st_dev &&
		    barren->size == file->st_size && barren->changed_s == file->st_ctime)
			return true;
	}
	return false;
}

/* The oldest one is forgotten for it. */
static void add_barren(struct libraries *libraries, const struct stat *file)
{
	libraries->barren[libraries->next_barren] = (struct barren){ .device = file->st_dev,
								     .inode = file->st_ino,
								     .size = file->st_size,
								     .changed_s = file->st_ctime };
	libraries->next_barren = (libraries->next_barren + 1) % BARREN_MAX;
}

/* Is it to be read? One of any name is looked into once, and only as much at a time. */
static bool is_promising(struct libraries *libraries, int fd, const struct stat *file)
{
	if (file->st_size > libraries->budget || is_barren(libraries, file))
		return false;
	libraries->budget -= file->st_size;
	if (tls_library_hinted(fd) == 0)
		return true;
	add_barren(libraries, file);
	return false;
}

/* Why there are no probes in a file. */
static const char *failure(int r)
{
	switch (r) {
	case -EOPNOTSUPP:
		return "it is of a version of Go, or built in a way, that is not known";
	case -E2BIG:
		return "its tables are larger than are read";
	case -EBADMSG:
		return "it is no program of this machine's kind, or malformed";
	default:
		return strerror(-r);
	}
}

static void on_file(void *context, enum tls_file why, int fd, struct view path)
{
	struct libraries *libraries = context;
	struct library_file *known;
	struct stat file;
	int r;

	if (fstat(fd, &file) < 0)
		return;
	known = file_find(libraries, &file);
	if (!known) {
		if (why == TLS_FILE_OTHER && !is_promising(libraries, fd, &file))
			return;
		known = file_add(libraries, &file);
		if (!known)
			return;
		r = file_attach(libraries, known, fd, path);
		if (r < 0 && r != -ENOENT)
			log_warning("what %.*s sends and receives by TLS is not seen: %s",
				    (int)path.len, path.data, failure(r));
	}
	known->permanent |= libraries->permanent;
	file_use(libraries, known, libraries->looked_at);
}

/* Where distributions have them. */
static const char *const system_files[] = {
#if defined(__x86_64__)
	"/usr/lib/x86_64-linux-gnu/",
#elif defined(__aarch64__)
	"/usr/lib/aarch64-linux-gnu/",
#endif
	"/usr/lib64/",
	"/usr/lib/",
};

static const char *const system_names[] = { "libssl.so.3", "libssl.so.1.1", "libgnutls.so.30",
					    "libssl3.so" };

void libraries_of_system(struct libraries *libraries)
{
	char path[128];

	if (!libraries->libraries.on)
		return;
	libraries->looked_at = 0;
	libraries->permanent = true;
	for (size_t i = 0; i < sizeof(system_files) / sizeof(system_files[0]); i++)
		for (size_t j = 0; j < sizeof(system_names) / sizeof(system_names[0]); j++) {
			_cleanup_close_ int fd = -1;

			snprintf(path, sizeof(path), "%s%s", system_files[i], system_names[j]);
			fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
			if (fd >= 0)
				on_file(libraries, TLS_FILE_NAMED, fd, view_of(path));
		}
	libraries->permanent = false;
}

static bool is_on(const struct libraries *libraries)
{
	return libraries->libraries.on || libraries->direct.on;
}

static int look(struct libraries *libraries, pid_t pid, bool speaks)
{
	libraries->looked_at = pid;
	libraries->budget = OTHERS_BYTES;
	return tls_library_scan(libraries->proc, pid, speaks, on_file, libraries);
}

void libraries_look(struct libraries *libraries, pid_t pid, bool speaks)
{
	if (libraries && is_on(libraries))
		look(libraries, pid, speaks);
}

static uint64_t now_us(void)
{
	return clock_monotonic_ns() / NS_PER_US;
}

/* Looks at the program if it is time. True: it need not be looked at any more. */
static bool expected_look(struct libraries *libraries, struct expected *expected)
{
	if (expected->since_us + looks_us[expected->look] > now_us() + LOOK_ACCURACY_US)
		return false;
	expected->look++;
	return look(libraries, expected->pid, false) != 0 || expected->look == N_LOOKS;
}

static int on_look(sd_event_source *source, uint64_t usec, void *context)
{
	struct libraries *libraries = context;
	uint64_t next = UINT64_MAX;

	(void)usec;
	for (size_t i = 0; i < libraries->n_expected;) {
		struct expected *expected = &libraries->expected[i];
		uint64_t due;

		if (expected_look(libraries, expected)) {
			*expected = libraries->expected[--libraries->n_expected];
			continue;
		}
		due = expected->since_us + looks_us[expected->look];
		next = due < next ? due : next;
		i++;
	}
	if (!libraries->n_expected)
		return 0;
	sd_event_source_set_time(source, next);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* Those that found no room speak TLS before they are looked at. */
void libraries_expect(struct libraries *libraries, sd_event *loop, pid_t pid)
{
	uint64_t due = now_us() + looks_us[0];

	if (!libraries || !is_on(libraries) || libraries->n_expected == EXPECTED_MAX)
		return;
	libraries->expected[libraries->n_expected++] =
		(struct expected){ .pid = pid, .since_us = now_us() };
	if (!libraries->timer) {
		sd_event_add_time(loop, &libraries->timer, CLOCK_MONOTONIC, due, LOOK_ACCURACY_US,
				  on_look, libraries);
	} else if (libraries->n_expected == 1) {
		sd_event_source_set_time(libraries->timer, due);
		sd_event_source_set_enabled(libraries->timer, SD_EVENT_ONESHOT);
	}
}

static bool is_alive(pid_t pid)
{
	return kill(pid, 0) == 0 || errno != ESRCH;
}

void libraries_tidy(struct libraries *libraries)
{
	for (size_t i = 0; libraries && i < libraries->n_files;) {
		struct library_file *file = &libraries->files[i];

		for (size_t j = 0; j < file->n_users;)
			if (is_alive(file->users[j]))
				j++;
			else
				file->users[j] = file->users[--file->n_users];
		if (file->n_users || file->permanent)
			i++;
		else
			file_remove(libraries, file);
	}
}

struct libraries *libraries_free(struct libraries *libraries)
{
	if (!libraries)
		return NULL;
	while (libraries->n_files)
		file_remove(libraries, &libraries->files[libraries->n_files - 1]);
	sd_event_source_unref(libraries->timer);
	free(libraries);
	return NULL;
}
