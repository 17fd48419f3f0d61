/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/runtime.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bpf/abi/config.h"
#include "discover/go_build.h"
#include "discover/maps.h"
#include "discover/procfs.h"
#include "discover/text.h"

#define RELEASE_FILE_MAX 4096

/*
 * Go moves goroutines between threads, so its threads say nothing about who asked. Everywhere else
 * the thread is the default, and the kernel side notices those that multiplex.
 */
static const struct runtime_row {
	const char *name;
	const char *language; /* semantic conventions, telemetry.sdk.language */
	uint8_t unit;
} runtimes[] = {
	[RUNTIME_NATIVE] = { "native", "cpp", UNIT_THREAD },
	[RUNTIME_GO] = { "go", "go", UNIT_UNKNOWN },
	[RUNTIME_PYTHON] = { "python", "python", UNIT_THREAD },
	[RUNTIME_NODE] = { "node", "nodejs", UNIT_THREAD },
	[RUNTIME_JAVA] = { "java", "java", UNIT_THREAD },
	[RUNTIME_DOTNET] = { "dotnet", "dotnet", UNIT_THREAD },
	[RUNTIME_RUBY] = { "ruby", "ruby", UNIT_THREAD },
	[RUNTIME_PHP] = { "php", "php", UNIT_THREAD },
	[RUNTIME_PERL] = { "perl", "perl", UNIT_THREAD },
};

_Static_assert(sizeof(runtimes) / sizeof(runtimes[0]) == RUNTIME_MAX, "a row for each runtime");

/* Executables that are known better than their runtime. */
static const struct unit_row {
	const char *executable;
	uint8_t unit;
} units[] = {
	{ "nginx", UNIT_EVENT_LOOP },
	{ "openresty", UNIT_EVENT_LOOP },
	{ "angie", UNIT_EVENT_LOOP },
	{ "tengine", UNIT_EVENT_LOOP },
};

/* Names of interpreters; a version may follow ("python3.11", "php-fpm8.2"). */
static const struct interpreter_row {
	struct view name;
	enum runtime runtime;
} interpreters[] = {
	{ VIEW_INIT("python"), RUNTIME_PYTHON }, { VIEW_INIT("pypy"), RUNTIME_PYTHON },
	{ VIEW_INIT("node"), RUNTIME_NODE },	 { VIEW_INIT("nodejs"), RUNTIME_NODE },
	{ VIEW_INIT("java"), RUNTIME_JAVA },	 { VIEW_INIT("dotnet"), RUNTIME_DOTNET },
	{ VIEW_INIT("ruby"), RUNTIME_RUBY },	 { VIEW_INIT("php"), RUNTIME_PHP },
	{ VIEW_INIT("php-fpm"), RUNTIME_PHP },	 { VIEW_INIT("php-cgi"), RUNTIME_PHP },
	{ VIEW_INIT("perl"), RUNTIME_PERL },
};

/*
 * Libraries that are a runtime, by the start of their file name. libperl is not among them:
 * programs that embed it (nginx, PostgreSQL) are no Perl programs.
 */
static const struct library_row {
	struct view prefix;
	enum runtime runtime;
} libraries[] = {
	{ VIEW_INIT("libjvm.so"), RUNTIME_JAVA },    { VIEW_INIT("libcoreclr.so"), RUNTIME_DOTNET },
	{ VIEW_INIT("libnode.so"), RUNTIME_NODE },   { VIEW_INIT("libpython2"), RUNTIME_PYTHON },
	{ VIEW_INIT("libpython3"), RUNTIME_PYTHON }, { VIEW_INIT("libruby"), RUNTIME_RUBY },
	{ VIEW_INIT("libphp"), RUNTIME_PHP },
};

const char *runtime_name(enum runtime runtime)
{
	return (unsigned int)runtime < RUNTIME_MAX ? runtimes[runtime].name : "unknown";
}

const char *runtime_language(enum runtime runtime)
{
	return (unsigned int)runtime < RUNTIME_MAX ? runtimes[runtime].language : "cpp";
}

uint8_t runtime_unit(enum runtime runtime, struct view executable)
{
	struct view name = text_basename(executable);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (view_equal(name, view_of(units[i].executable)))
			return units[i].unit;
	return (unsigned int)runtime < RUNTIME_MAX ? runtimes[runtime].unit : UNIT_THREAD;
}

static size_t version_length(struct view text)
{
	size_t len = 0;

	while (len < text.len &&
	       (text.data[len] == '.' || (text.data[len] >= '0' && text.data[len] <= '9')))
		len++;
	return len;
}

/* What may follow a version in an interpreter's name: builds for debugging, without a lock ... */
static bool is_build_tag(struct view text)
{
	static const char *const tags[] = { "", "d", "m", "t", "dm", "td", "-dbg", NULL };

	return text_in(text, tags);
}

static bool interpreter_matches(const struct interpreter_row *row, struct view name,
				struct view *ret_version)
{
	struct view rest = view_from(name, row->name.len);
	size_t length = version_length(rest);

	if (!view_starts_with(name, row->name) || !is_build_tag(view_from(rest, length)))
		return false;
	rest.len = length;
	*ret_version = rest;
	return true;
}

static const struct interpreter_row *interpreter_find(struct view path, struct view *ret_version)
{
	struct view name = text_basename(path);

	for (size_t i = 0; i < sizeof(interpreters) / sizeof(interpreters[0]); i++)
		if (interpreter_matches(&interpreters[i], name, ret_version))
			return &interpreters[i];
	return NULL;
}

enum runtime runtime_of_executable(struct view path)
{
	struct view version;
	const struct interpreter_row *row = interpreter_find(path, &version);

	return row ? row->runtime : RUNTIME_NATIVE;
}

static const struct library_row *library_find(struct view path)
{
	struct view name = text_basename(path);

	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++)
		if (view_starts_with(name, libraries[i].prefix))
			return &libraries[i];
	return NULL;
}

/* The first mapped library that is a runtime, of `wanted` unless that is RUNTIME_NATIVE. */
static const struct library_row *library_mapped(struct view maps, enum runtime wanted,
						struct view *ret_path)
{
	struct view last = { 0 };
	struct mapping mapping;

	while (maps_next(&maps, &mapping)) {
		const struct library_row *row;
		struct view path = mapping.path;

		/* A library's segments follow each other: look at its name once. */
		if (path.len == 0 || path.data[0] != '/' || view_equal(path, last))
			continue;
		last = path;
		row = library_find(path);
		if (row && (wanted == RUNTIME_NATIVE || row->runtime == wanted)) {
			*ret_path = path;
			return row;
		}
	}
	return NULL;
}

static void set_version(struct runtime_facts *facts, struct view version)
{
	/* "libpython3.so" and "python3" say too little to be a version. */
	if (text_index(version, '.') <= 0 || version.len > RUNTIME_VERSION_MAX)
		return;
	if (version.data[version.len - 1] == '.')
		version.len--;
	if (text_index(version, '.') < 0)
		return;
	memcpy(facts->version, version.data, version.len);
	facts->version[version.len] = '\0';
}

/* "libpython3.11.so.1.0" -> 3.11; "libruby-3.1.so.3.1.2" -> 3.1. */
static void version_from_name(struct view library, struct runtime_facts *facts)
{
	struct view name = text_basename(library);
	size_t from = 0;

	while (from < name.len && (name.data[from] < '0' || name.data[from] > '9'))
		from++;
	name = view_from(name, from);
	name.len = version_length(name);
	set_version(facts, name);
}

/* ".../shared/Microsoft.NETCore.App/8.0.1/libcoreclr.so" */
static void version_from_directory(struct view library, struct runtime_facts *facts)
{
	struct view name = text_basename(text_dirname(library));

	if (version_length(name) > 0)
		set_version(facts, name);
}

/* JAVA_VERSION="17.0.9" in the file "release" of the Java home, above lib/server/libjvm.so. */
static void version_from_release(int dir, struct view library, struct runtime_facts *facts)
{
	_cleanup_procfs_file_ struct procfs_file file = { 0 };
	struct view home = library, text, line;
	char path[4096];

	for (int i = 0; i < 3; i++)
		home = text_dirname(home);
	if (dir < 0 || home.len == 0 || home.len > sizeof(path) - sizeof("/release"))
		return;
	snprintf(path, sizeof(path), "%.*s/release", (int)home.len, home.data);
	if (procfs_read_in_root(dir, path, RELEASE_FILE_MAX, &file) < 0)
		return;
	text = procfs_file_view(&file);
	while (text_next(&text, '\n', &line)) {
		if (!view_starts_with(line, VIEW("JAVA_VERSION=\"")))
			continue;
		line = view_from(line, sizeof("JAVA_VERSION=\"") - 1);
		if (text_ends_with(line, VIEW("\"")))
			line.len--;
		set_version(facts, line);
	}
}

static void version_from_library(int dir, enum runtime runtime, struct view library,
				 struct runtime_facts *facts)
{
	switch (runtime) {
	case RUNTIME_JAVA:
		version_from_release(dir, library, facts);
		break;
	case RUNTIME_DOTNET:
		version_from_directory(library, facts);
		break;
	case RUNTIME_PYTHON:
	case RUNTIME_RUBY:
		version_from_name(library, facts);
		break;
	default: /* the numbers in the other names are no versions of the language */
		break;
	}
}

/* Version managers install Node below a directory of its version: ".../v20.11.0/bin/node". */
static void version_from_node_path(struct view executable, struct runtime_facts *facts)
{
	struct view name = text_basename(text_dirname(text_dirname(executable)));

	if (name.len > 1 && name.data[0] == 'v' &&
	    version_length(view_from(name, 1)) == name.len - 1)
		set_version(facts, view_from(name, 1));
}

static bool read_go(int dir, struct runtime_facts *facts)
{
	_cleanup_close_ int fd = openat(dir, "exe", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	char version[GO_VERSION_MAX + 1];

	if (fd < 0 || go_build_read(fd, version) < 0)
		return false;
	facts->runtime = RUNTIME_GO;
	if (strlen(version) <= RUNTIME_VERSION_MAX)
		memcpy(facts->version, version, strlen(version) + 1);
	return true;
}

void runtime_read(int dir, struct view executable, struct view maps,
		  struct runtime_facts *ret_facts)
{
	struct runtime_facts facts = { 0 };
	struct view version = { 0 }, library;
	const struct interpreter_row *interpreter = interpreter_find(executable, &version);
	const struct library_row *row;

	if (interpreter) {
		facts.runtime = interpreter->runtime;
		set_version(&facts, version);
	}
	row = library_mapped(maps, facts.runtime, &library);
	if (row && !facts.version[0])
		version_from_library(dir, row->runtime, library, &facts);
	if (facts.runtime == RUNTIME_NODE && !facts.version[0])
		version_from_node_path(executable, &facts);
	if (row)
		facts.runtime = row->runtime;
	else if (!interpreter && dir >= 0)
		read_go(dir, &facts);
	*ret_facts = facts;
}
