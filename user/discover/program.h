/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name of what an interpreter or a virtual machine runs. program.c knows what all have in
 * common; each language whose programs are started in ways of its own has a file (program_python.c
 * ...).
 */
#ifndef WEFT_DISCOVER_PROGRAM_H
#define WEFT_DISCOVER_PROGRAM_H

#include <stdbool.h>

#include "discover/command_line.h"
#include "discover/facts.h"
#include "discover/path.h"
#include "discover/service_name.h"

/* False: the process runs no interpreter, or what it runs has no name. */
bool program_name(const struct process_facts *facts, struct service_name *name);

/* How one language names its programs. */
struct program_rules {
	struct option_grammar options;
	/* Names the program that the options led to; it may have form PROGRAM_NONE. */
	bool (*name)(const struct process_facts *facts, const struct program *program,
		     struct service_name *name);
};

extern const struct program_rules program_python, program_node, program_java, program_dotnet,
	program_ruby, program_php, program_perl;

/* What follows is for the files of the languages. */

/* The file's name without its extension, or of its directory when it is called as every other is.
 */
bool program_name_script(const struct process_facts *facts, struct view script,
			 struct service_name *name);

/* "shop.main:app" -> "shop.main", "shop/main.py" -> "main", "shop.wsgi" -> "shop" (as ".asgi"). */
struct view program_module(struct view application);

/* The directory that the process works in, if its name tells something. */
bool program_name_directory(const struct process_facts *facts, struct service_name *name);

/*
 * Names an application by the server program that runs it ("gunicorn shop.wsgi:app", "flask --app
 * shop run"): `launcher` is the server's name, its arguments begin at `from`. False: no such server
 * is known.
 */
bool program_name_launched(const struct process_facts *facts, struct view launcher, size_t from,
			   struct service_name *name);

/* The "name" of the nearest package.json at `path` or above it. */
bool program_name_package(const struct process_facts *facts, struct view path,
			  struct service_name *name);

#endif
