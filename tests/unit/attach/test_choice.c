/* SPDX-License-Identifier: Apache-2.0 */
/* The choice of hooks against types of kernels that were made up here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/btf.h>
#include <stdio.h>
#include <string.h>

#include "attach/choice.h"

/* Hooks of the surface "socket data", in their order. */
enum socket_hook {
	TRACEPOINTS,
	PERF,
	FEXIT,
	KPROBES,
	TRACEPOINTS_ANYWAY,
	FEXIT_ANYWAY,
};

struct world {
	struct btf *btf;
	uint32_t hooks_off[SURFACE_MAX];
	struct surface_state state[SURFACE_MAX];
	struct choice choice;
};

static int add_prototype(struct btf *btf, unsigned int arguments)
{
	int id = btf__add_func_proto(btf, 0);

	for (unsigned int i = 0; i < arguments; i++)
		assert_int_equal(btf__add_func_param(btf, "", 0), 0);
	return id;
}

static void add_function(struct world *world, const char *name, unsigned int arguments)
{
	int prototype = add_prototype(world->btf, arguments);

	assert_true(btf__add_func(world->btf, name, BTF_FUNC_GLOBAL, prototype) > 0);
}

/* As the kernel has them: a typedef of a pointer to a function that takes one argument more. */
static void add_tracepoint(struct world *world, const char *name, unsigned int arguments)
{
	int pointer = btf__add_ptr(world->btf, add_prototype(world->btf, arguments + 1));
	char type[64];

	snprintf(type, sizeof(type), "btf_trace_%s", name);
	assert_true(btf__add_typedef(world->btf, type, pointer) > 0);
}

static int setup(void **state)
{
	static struct world world;

	world = (struct world){ .btf = btf__new_empty() };
	world.choice = (struct choice){ .btf = world.btf,
					.hooks_off = world.hooks_off,
					.state = world.state };
	choice_init(&world.choice);
	*state = &world;
	return world.btf ? 0 : -1;
}

static int teardown(void **state)
{
	btf__free(((struct world *)*state)->btf);
	return 0;
}

static void add_socket_tracepoints(struct world *world)
{
	add_tracepoint(world, "sock_send_length", 3);
	add_tracepoint(world, "sock_recv_length", 3);
}

static void add_socket_functions(struct world *world)
{
	add_function(world, "tcp_sendmsg", 3);
	add_function(world, "tcp_recvmsg", 5);
	add_function(world, "unix_stream_sendmsg", 3);
	add_function(world, "unix_stream_recvmsg", 4);
}

/* Linux 7.0 and later, as far as it matters here. */
static void add_guard(struct world *world)
{
	assert_true(btf__add_typedef(world->btf, "class_srcu_fast_notrace_t", 0) > 0);
}

static void test_constant(void **state)
{
	struct world *world = *state;

	assert_true(btf__add_enum(world->btf, "named", 4) > 0);
	assert_int_equal(btf__add_enum_value(world->btf, "OTHER", 0), 0);
	choice_next(&world->choice, SURFACE_OPEN);
	assert_int_equal(world->state[SURFACE_OPEN].chosen, -1);
	assert_string_equal(world->state[SURFACE_OPEN].reasons[0],
			    "this kernel does not know TCP_BPF_SOCK_OPS_CB_FLAGS");

	assert_true(btf__add_enum(world->btf, NULL, 4) > 0);
	assert_int_equal(btf__add_enum_value(world->btf, "TCP_BPF_SOCK_OPS_CB_FLAGS", 1008), 0);
	choice_init(&world->choice);
	choice_next(&world->choice, SURFACE_OPEN);
	assert_int_equal(world->state[SURFACE_OPEN].chosen, 0);
}

/* The hooks that are tried in turn, as each of them does not load. */
static void expect_in_turn(struct world *world, const int *hooks, size_t n)
{
	const struct surface_state *state = &world->state[SURFACE_SOCKET_DATA];

	for (size_t i = 0; i < n; i++) {
		choice_next(&world->choice, SURFACE_SOCKET_DATA);
		assert_int_equal(state->chosen, hooks[i]);
		assert_ptr_equal(choice_hook(&world->choice, SURFACE_SOCKET_DATA),
				 &surfaces[SURFACE_SOCKET_DATA].hooks[hooks[i]]);
		assert_string_equal(state->reasons[hooks[i]], "");
	}
	choice_next(&world->choice, SURFACE_SOCKET_DATA);
	assert_int_equal(state->chosen, -1);
	assert_null(choice_hook(&world->choice, SURFACE_SOCKET_DATA));
}

#define expect_hooks(world, ...)                                                                   \
	do {                                                                                       \
		static const int hooks[] = { __VA_ARGS__ };                                        \
		expect_in_turn(world, hooks, sizeof(hooks) / sizeof(hooks[0]));                    \
	} while (0)

static void test_all_in_turn(void **state)
{
	add_socket_tracepoints(*state);
	add_socket_functions(*state);
	expect_hooks(*state, TRACEPOINTS, PERF, FEXIT, KPROBES, TRACEPOINTS_ANYWAY, FEXIT_ANYWAY);
}

static void test_without_tracepoints(void **state)
{
	struct world *world = *state;

	add_socket_functions(world);
	expect_hooks(world, FEXIT, KPROBES, FEXIT_ANYWAY);
	assert_string_equal(world->state[SURFACE_SOCKET_DATA].reasons[TRACEPOINTS],
			    "this kernel has no tracepoint sock_send_length");
}

static void test_nothing_there(void **state)
{
	struct world *world = *state;

	choice_next(&world->choice, SURFACE_SOCKET_DATA);
	assert_null(choice_hook(&world->choice, SURFACE_SOCKET_DATA));
	assert_string_equal(world->state[SURFACE_SOCKET_DATA].reasons[KPROBES],
			    "this kernel has no function tcp_sendmsg");
}

static void test_turned_off(void **state)
{
	struct world *world = *state;

	add_socket_tracepoints(world);
	add_socket_functions(world);
	world->hooks_off[SURFACE_SOCKET_DATA] = 1u << TRACEPOINTS | 1u << FEXIT;
	expect_hooks(world, PERF, KPROBES, TRACEPOINTS_ANYWAY, FEXIT_ANYWAY);
	assert_string_equal(world->state[SURFACE_SOCKET_DATA].reasons[FEXIT], "turned off");
}

/* Before Linux 7.0 programs on functions may be preempted, those on tracepoints may not. */
static void test_preempted_functions(void **state)
{
	struct world *world = *state;

	add_socket_tracepoints(world);
	add_socket_functions(world);
	world->choice.preempts = true;
	expect_hooks(world, TRACEPOINTS, PERF, KPROBES, TRACEPOINTS_ANYWAY, FEXIT_ANYWAY);
	assert_non_null(strstr(world->state[SURFACE_SOCKET_DATA].reasons[FEXIT], "preempts"));
}

static void test_preempted_tracepoints(void **state)
{
	struct world *world = *state;

	add_socket_tracepoints(world);
	add_socket_functions(world);
	add_guard(world);
	world->choice.preempts = true;
	expect_hooks(world, PERF, KPROBES, TRACEPOINTS_ANYWAY, FEXIT_ANYWAY);
}

static void test_guard_alone(void **state)
{
	add_socket_tracepoints(*state);
	add_guard(*state);
	expect_hooks(*state, TRACEPOINTS, PERF, TRACEPOINTS_ANYWAY);
}

/* A function of the same name with other arguments is another function. */
static void test_arguments(void **state)
{
	struct world *world = *state;

	add_function(world, "tcp_sendmsg", 3);
	add_function(world, "tcp_recvmsg", 7);
	add_function(world, "unix_stream_sendmsg", 3);
	add_function(world, "unix_stream_recvmsg", 4);
	choice_next(&world->choice, SURFACE_SOCKET_DATA);
	assert_null(choice_hook(&world->choice, SURFACE_SOCKET_DATA));
	assert_string_equal(world->state[SURFACE_SOCKET_DATA].reasons[FEXIT],
			    "the function tcp_recvmsg of this kernel has 7 arguments");
	assert_int_equal(choice_arguments(world->btf, "tcp_recvmsg"), 7);
	assert_int_equal(choice_arguments(world->btf, "tcp_splice_read"), 0);
}

/* Each of the two hooks on io_uring's tracepoint fits another form of it. */
static void test_forms_of_a_tracepoint(void **state)
{
	struct world *world = *state;

	add_tracepoint(world, "io_uring_complete", 7);
	choice_next(&world->choice, SURFACE_IO_URING);
	assert_int_equal(world->state[SURFACE_IO_URING].chosen, 1);
	assert_non_null(strstr(world->state[SURFACE_IO_URING].reasons[0], "has 7 arguments"));
}

static void test_programs_that_may_lack(void **state)
{
	struct world *world = *state;
	const struct hook_program page = { "page", .function = "tcp_sendpage", .if_there = true };
	const struct hook_program send = { "send", .function = "tcp_sendmsg" };

	assert_false(choice_has_program(world->btf, &page));
	assert_true(choice_has_program(world->btf, &send));
	add_function(world, "tcp_sendpage", 5);
	assert_true(choice_has_program(world->btf, &page));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_in_turn),
		TEST(test_without_tracepoints),
		TEST(test_nothing_there),
		TEST(test_turned_off),
		TEST(test_preempted_functions),
		TEST(test_preempted_tracepoints),
		TEST(test_guard_alone),
		TEST(test_arguments),
		TEST(test_forms_of_a_tracepoint),
		TEST(test_programs_that_may_lack),
		TEST(test_constant),
	};

	return cmocka_run_group_tests_name("attach/choice", tests, NULL, NULL);
}
