/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what a foreign process writes about itself: the first byte chooses the executable,
 * then come lines for the command line, the environment, the control group and the mapped files. In
 * the lines, 0x01 stands for a NUL byte too, which leaves seeds readable.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "discover/environment.h"
#include "discover/service_name.h"
#include "discover/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const executables[] = {
	"/usr/bin/python3.11", "/usr/bin/node",	  "/usr/bin/java",   "/usr/bin/ruby3.1",
	"/usr/bin/php8.2",     "/usr/bin/perl",	  "/usr/bin/dotnet", "/usr/sbin/php-fpm8.2",
	"/usr/bin/uwsgi",      "/usr/sbin/nginx", "/bin/busybox",    "",
};

static struct procfs_file take_line(struct view *rest)
{
	struct procfs_file file = { 0 };
	struct view line = { 0 };

	text_next(rest, '\n', &line);
	file.data = malloc(line.len + 1);
	if (!file.data)
		abort();
	for (size_t i = 0; i < line.len; i++)
		file.data[i] = line.data[i] == '\x01' ? '\0' : line.data[i];
	file.data[line.len] = '\0';
	file.len = line.len;
	file.cut = line.len % 2;
	return file;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_facts_ struct process_facts facts = PROCESS_FACTS_INIT;
	_cleanup_procfs_file_ struct procfs_file cgroup = { 0 }, maps = { 0 };
	struct process_options options = { .proc = "/nonexistent" };
	struct view rest = { .data = (const char *)data, .len = size };
	struct service_name name;

	if (size == 0)
		return 0;
	rest = view_from(rest, 1);
	facts.executable = strdup(executables[data[0] % (sizeof(executables) / sizeof(char *))]);
	facts.directory = strdup("/srv/shop");
	facts.command_file = take_line(&rest);
	facts.environ_file = take_line(&rest);
	cgroup = take_line(&rest);
	maps = take_line(&rest);
	facts_split_command(&facts);
	container_read(procfs_file_view(&cgroup), &facts.container);
	runtime_read(-1, view_of(facts.executable), procfs_file_view(&maps), &facts.runtime);
	environment_parse_attributes(environment_get(facts_environ(&facts),
						     VIEW("OTEL_RESOURCE_ATTRIBUTES")),
				     &facts.environment);
	service_name_find(&facts, &options, &name);
	if (name.text[0] == '\0' || !name.source || !utf8_is_valid(view_of(name.text)))
		abort();
	return 0;
}
