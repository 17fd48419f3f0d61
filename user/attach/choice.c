/* SPDX-License-Identifier: Apache-2.0 */
#include "attach/choice.h"

#include <bpf/btf.h>
#include <stdio.h>
#include <string.h>

/* Since tracepoints are guarded by this (enum hook_preemption). */
#define TRACEPOINT_GUARD "class_srcu_fast_notrace_t"

static const struct btf_type *function_type(const struct btf *btf, const char *name)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_FUNC);

	return id < 0 ? NULL : btf__type_by_id(btf, btf__type_by_id(btf, (uint32_t)id)->type);
}

/* typedef, pointer, prototype */
static const struct btf_type *tracepoint_type(const struct btf *btf, const char *tracepoint)
{
	const struct btf_type *type;
	char name[128];
	int id;

	snprintf(name, sizeof(name), "btf_trace_%s", tracepoint);
	id = btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF);
	if (id < 0)
		return NULL;
	type = btf__type_by_id(btf, btf__type_by_id(btf, (uint32_t)id)->type);
	return btf__type_by_id(btf, type->type);
}

/* The prototype of what a program hooks, NULL: the kernel does not have it. */
static const struct btf_type *hooked_type(const struct btf *btf, const struct hook_program *program)
{
	return program->function ? function_type(btf, program->function)
				 : tracepoint_type(btf, program->tracepoint);
}

/* Does one of the kernel's enumerations have the constant? Those without a name are not in any
 * index. */
static bool has_constant(const struct btf *btf, const char *name)
{
	const struct btf_type *type;

	for (uint32_t id = 1; (type = btf__type_by_id(btf, id)); id++) {
		const struct btf_enum *constants = btf_enum(type);

		if (!btf_is_enum(type))
			continue;
		for (uint16_t i = 0; i < btf_vlen(type); i++)
			if (strcmp(btf__name_by_offset(btf, constants[i].name_off), name) == 0)
				return true;
	}
	return false;
}

/* How many arguments it takes there. A tracepoint's first one is its own. */
static unsigned int hooked_arguments(const struct btf_type *type,
				     const struct hook_program *program)
{
	return btf_vlen(type) - (program->function ? 0 : 1);
}

/* Can the program hook something here? If not, says why unless `reason` is NULL. */
static bool program_is_possible(const struct btf *btf, const struct hook_program *program,
				char *reason)
{
	const char *kind = program->function ? "function" : "tracepoint";
	const char *name = program->function ? program->function : program->tracepoint;
	unsigned int max = program->arguments_max ? program->arguments_max : program->arguments;
	const struct btf_type *type;
	unsigned int n;

	if (program->constant && !has_constant(btf, program->constant)) {
		if (reason)
			snprintf(reason, LOADER_REASON_MAX, "this kernel does not know %s",
				 program->constant);
		return false;
	}
	if (program->place != PLACE_KERNEL && program->place != PLACE_NEXT)
		return true;
	type = hooked_type(btf, program);
	if (!type) {
		if (reason)
			snprintf(reason, LOADER_REASON_MAX, "this kernel has no %s %s", kind, name);
		return false;
	}
	n = hooked_arguments(type, program);
	if (!program->arguments || (n >= program->arguments && n <= max))
		return true;
	if (reason)
		snprintf(reason, LOADER_REASON_MAX, "the %s %s of this kernel has %u arguments",
			 kind, name, n);
	return false;
}

/* Would calls be missed, for the kernel preempts the hook's programs? */
static bool hook_is_preempted(const struct choice *choice, const struct hook *hook)
{
	switch (hook->preemption) {
	case PREEMPTION_OFF:
	case PREEMPTION_ACCEPTED:
		break;
	case PREEMPTION_NEW:
		return choice->preempts &&
		       btf__find_by_name_kind(choice->btf, TRACEPOINT_GUARD, BTF_KIND_TYPEDEF) > 0;
	case PREEMPTION_ON:
		return choice->preempts;
	}
	return false;
}

static bool hook_is_possible(const struct choice *choice, const struct hook *hook, char *reason)
{
	if (hook_is_preempted(choice, hook)) {
		snprintf(reason, LOADER_REASON_MAX,
			 "this kernel preempts such programs, and calls would be missed");
		return false;
	}
	for (size_t i = 0; i < HOOK_PROGRAMS_MAX && hook->programs[i].name; i++)
		if (!hook->programs[i].if_there &&
		    !program_is_possible(choice->btf, &hook->programs[i], reason))
			return false;
	return true;
}

void choice_init(const struct choice *choice)
{
	memset(choice->state, 0, SURFACE_MAX * sizeof(*choice->state));
	for (size_t i = 0; i < SURFACE_MAX; i++)
		choice->state[i].chosen = -1;
}

void choice_next(const struct choice *choice, size_t surface)
{
	struct surface_state *state = &choice->state[surface];
	const struct hook *hooks = surfaces[surface].hooks;
	size_t n = surface_hooks(&surfaces[surface]);

	for (size_t i = (size_t)(state->chosen + 1); i < n; i++) {
		state->chosen = (int)i;
		if (choice->hooks_off[surface] & 1u << i)
			snprintf(state->reasons[i], LOADER_REASON_MAX, "turned off");
		else if (hook_is_possible(choice, &hooks[i], state->reasons[i]))
			return;
	}
	state->chosen = -1;
}

const struct hook *choice_hook(const struct choice *choice, size_t surface)
{
	int chosen = choice->state[surface].chosen;

	return chosen < 0 ? NULL : &surfaces[surface].hooks[chosen];
}

bool choice_has_program(const struct btf *btf, const struct hook_program *program)
{
	return !program->if_there || program_is_possible(btf, program, NULL);
}

bool choice_has_function(const struct btf *btf, const char *function)
{
	return function_type(btf, function) != NULL;
}

unsigned int choice_arguments(const struct btf *btf, const char *function)
{
	const struct btf_type *type = function_type(btf, function);

	return type ? btf_vlen(type) : 0;
}
