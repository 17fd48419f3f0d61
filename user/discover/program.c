/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/program.h"

#include "discover/text.h"

static const struct program_rules *const rules[RUNTIME_MAX] = {
	[RUNTIME_PYTHON] = &program_python, [RUNTIME_NODE] = &program_node,
	[RUNTIME_JAVA] = &program_java,	    [RUNTIME_DOTNET] = &program_dotnet,
	[RUNTIME_RUBY] = &program_ruby,	    [RUNTIME_PHP] = &program_php,
	[RUNTIME_PERL] = &program_perl,
};

/*
 * Titles that servers write over their command line. The name stands behind the last `open` and
 * ends before the first `close`.
 */
static const struct title_row {
	struct view prefix;
	struct view open;
	const char *close;
	bool module; /* "shop.wsgi:app": a module and a name in it */
} titles[] = {
	{ VIEW_INIT("gunicorn: "), VIEW_INIT("["), "]", true },
	{ VIEW_INIT("[celeryd: "), VIEW_INIT("-A "), " )", true },
	{ VIEW_INIT("puma"), VIEW_INIT("["), "]", false },
	{ VIEW_INIT("php-fpm: pool "), VIEW_INIT("pool "), " ", false },
};

bool program_name_directory(const struct process_facts *facts, struct service_name *name)
{
	return service_name_set(name, path_telling_directory(view_of(facts->directory)),
				"directory");
}

/* Files that lie in a directory of the application's name. */
static const char *const nested_names[] = { "index",   "__main__", "__init__", "manage",
					    "artisan", "console",  NULL };

bool program_name_script(const struct process_facts *facts, struct view script,
			 struct service_name *name)
{
	struct view base = path_program(script);
	struct path path;

	if (text_in(base, nested_names) &&
	    path_resolve(view_of(facts->directory), script, &path) == 0 &&
	    service_name_set(name, path_telling_directory(text_dirname(path_view(&path))),
			     "directory"))
		return true;
	return service_name_set(name, base, "script");
}

static struct view until(struct view text, const char *ends)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '\0' || strchr(ends, text.data[i])) {
			text.len = i;
			break;
		}
	return text;
}

static struct view behind_last(struct view text, struct view mark)
{
	struct view found = { 0 };

	for (size_t i = 0; i + mark.len <= text.len; i++)
		if (view_starts_with(view_from(text, i), mark))
			found = view_from(text, i + mark.len);
	return found;
}

/* "php-fpm: pool www" names nothing: that is every installation's first pool. */
static bool is_default_name(struct view text)
{
	static const char *const names[] = { "www", NULL };

	return text_in(text, names);
}

static bool name_from_title(struct view title, struct service_name *name)
{
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
		struct view found;

		if (!view_starts_with(title, titles[i].prefix))
			continue;
		found = until(behind_last(title, titles[i].open), titles[i].close);
		if (titles[i].module)
			found = program_module(found);
		return !is_default_name(found) && service_name_set(name, found, "process title");
	}
	return false;
}

/* The title as one text again: the words are neighbours in the same buffer. */
static struct view whole_title(const struct process_facts *facts)
{
	struct view data = procfs_file_view(&facts->command_file);

	return until(data, "");
}

static bool is_interpreter(const struct process_facts *facts, struct view program)
{
	return runtime_of_executable(program) == facts->runtime.runtime;
}

/* "npm start", "puma: cluster worker": the process calls itself something, which hides what it ran.
 */
static bool name_titled(const struct process_facts *facts, struct service_name *name)
{
	struct view word = command_line_arg(&facts->command, 0);

	if (facts->runtime.runtime == RUNTIME_NODE &&
	    program_name_package(facts, view_of(facts->directory), name))
		return true;
	if (text_ends_with(word, VIEW(":")))
		word.len--;
	return service_name_set(name, text_basename(word), "process title");
}

/* A lone argument that is no interpreter's name was written by the process itself. */
static bool is_titled(const struct process_facts *facts)
{
	struct view first = command_line_arg(&facts->command, 0);

	return (facts->titled || facts->command.n == 1) && first.len > 0 &&
	       !is_interpreter(facts, first);
}

bool program_name(const struct process_facts *facts, struct service_name *name)
{
	const struct program_rules *rule = rules[facts->runtime.runtime];
	struct program program;

	if (name_from_title(whole_title(facts), name))
		return true;
	if (!rule)
		return false;
	/* A program that embeds the runtime has its own options. */
	if (!is_interpreter(facts, view_of(facts->executable)))
		return program_name_launched(facts, text_basename(view_of(facts->executable)), 1,
					     name);
	if (is_titled(facts))
		return name_titled(facts, name);
	program = program_find(&facts->command, 1, &rule->options);
	return rule->name(facts, &program, name);
}
