/* SPDX-License-Identifier: Apache-2.0 */
/* The table of hooks against the programs that the daemon carries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

#include "attach/hooks.h"
#include "bpf/abi/config.h"
#include "weft.skel.h"

typedef void (*row_fn)(struct bpf_object *object, const struct hook *hook,
		       const struct hook_program *row);

static void for_each_row(struct bpf_object *object, row_fn look)
{
	for (size_t i = 0; i < SURFACE_MAX; i++)
		for (size_t j = 0; j < surface_hooks(&surfaces[i]); j++) {
			const struct hook *hook = &surfaces[i].hooks[j];

			for (size_t k = 0; k < HOOK_PROGRAMS_MAX && hook->programs[k].name; k++)
				look(object, hook, &hook->programs[k]);
		}
}

static int setup(void **state)
{
	struct weft_bpf *skeleton = weft_bpf__open();

	*state = skeleton;
	return skeleton ? 0 : -1;
}

static int teardown(void **state)
{
	weft_bpf__destroy(*state);
	return 0;
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* A program that names what it hooks in its section hooks what its row says. */
static void look_at_section(struct bpf_object *object, const struct hook *hook,
			    const struct hook_program *row)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, row->name);
	const char *hooked = row->function ? row->function : row->tracepoint;
	const char *section, *target;

	if (!program)
		fail_msg("the hook \"%s\" names the program %s, which is not there", hook->name,
			 row->name);
	section = bpf_program__section_name(program);
	if (row->place != PLACE_KERNEL)
		return;
	assert_non_null(hooked);
	target = strrchr(section, '/');
	/* kprobes are attached to the row's function, whatever their section names */
	if (target && !begins(section, "k") && strcmp(target + 1, hooked) != 0)
		fail_msg("%s is of section %s, its row is on %s", row->name, section, hooked);
	if (row->function && !begins(section, "fexit") && !begins(section, "k"))
		fail_msg("%s is on a function, and of section %s", row->name, section);
	/* state by address is what such programs can have, and it is one way for all of them */
	if (begins(section, "k") || begins(section, "tp/"))
		assert_true(hook->by_address);
}

static void test_every_row_has_its_program(void **state)
{
	struct weft_bpf *skeleton = *state;

	for_each_row(skeleton->obj, look_at_section);
}

static const char *wanted;
static bool found;

static void look_for(struct bpf_object *object, const struct hook *hook,
		     const struct hook_program *row)
{
	(void)object;
	(void)hook;
	found |= strcmp(row->name, wanted) == 0;
}

static void test_every_program_has_its_row(void **state)
{
	struct weft_bpf *skeleton = *state;
	struct bpf_program *program;

	bpf_object__for_each_program(program, skeleton->obj)
	{
		wanted = bpf_program__name(program);
		found = false;
		for_each_row(skeleton->obj, look_for);
		if (!found)
			fail_msg("no hook names the program %s: it is never loaded", wanted);
	}
}

/* Preempted programs miss calls: only as a last resort, behind all that do not. */
static void test_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < SURFACE_MAX; i++) {
		bool accepted = false;

		assert_non_null(surfaces[i].name);
		assert_non_null(surfaces[i].without);
		assert_true(surface_hooks(&surfaces[i]) > 0);
		for (size_t j = 0; j < surface_hooks(&surfaces[i]); j++) {
			const struct hook *hook = &surfaces[i].hooks[j];

			assert_non_null(hook->programs[0].name);
			accepted |= hook->preemption == PREEMPTION_ACCEPTED;
			assert_true(!accepted || hook->preemption == PREEMPTION_ACCEPTED);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_row_has_its_program, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_program_has_its_row, setup, teardown),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests_name("attach/hooks", tests, NULL, NULL);
}
