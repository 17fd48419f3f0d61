/* SPDX-License-Identifier: Apache-2.0 */
#include "attach/propagation.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attach/inserted.h"
#include "base/clock.h"
#include "bpf/abi/context.h"

/* Hooks of the surface: hooks.c. */
enum wire_hook {
	WIRE_HOOK_MESSAGES, /* headers and the TCP option */
	WIRE_HOOK_OPTION,   /* the TCP option alone */
};

/* Contexts in options that are looked through for those of the test. */
#define OPTIONS_LOOK_MAX 8192

static bool headers_wanted(const struct weft_knobs *knobs)
{
	return knobs->inject != INJECT_OFF && inserted_length(knobs->propagators) > 0;
}

uint32_t propagation_hooks_off(const struct weft_knobs *knobs)
{
	uint32_t off = 0;

	if (!headers_wanted(knobs))
		off |= 1u << WIRE_HOOK_MESSAGES;
	if (!knobs->tcp_option)
		off |= 1u << WIRE_HOOK_OPTION;
	return off;
}

/* --- the kernel side, as the test needs it --- */

static int kernel_set(void *context, enum wire_mode mode, bool tested)
{
	const struct wire_config config = {
		.mode = mode,
		.test_pid = tested ? (__u32)getpid() : TEST_PID_NONE,
	};

	return loader_wire_set(context, config);
}

static bool kernel_enrolled(void *context, uint64_t cookie)
{
	uint64_t value;

	return bpf_map_lookup_elem(loader_wire_socks_fd(context), &cookie, &value) == 0;
}

static int kernel_remove(void *context, uint64_t cookie)
{
	return bpf_map_delete_elem(loader_wire_socks_fd(context), &cookie);
}

static bool kernel_option_came(void *context, uint64_t cookie)
{
	int fd = loader_options_fd(context);
	struct option_key key, *before = NULL;

	for (int i = 0; i < OPTIONS_LOOK_MAX; i++) {
		struct option_key next;

		if (bpf_map_get_next_key(fd, before, &next) < 0)
			return false;
		if (next.cookie == cookie)
			return true;
		key = next;
		before = &key;
	}
	return false;
}

/* --- what can be tested, and what is done about it --- */

/* The surface is off, or the hook before the one that is used: why. */
static const char *surface_reason(const struct surface_state *state, const char *otherwise)
{
	for (size_t i = SURFACE_HOOKS_MAX; i-- > 0;)
		if (state->reasons[i][0] && (int)i != state->chosen)
			return state->reasons[i];
	return otherwise;
}

/* Why no header can be given, NULL: that is to be seen. */
static const char *headers_hindrance(const struct surface_state state[SURFACE_MAX],
				     const struct weft_knobs *knobs)
{
	if (knobs->inject == INJECT_OFF)
		return "turned off";
	if (!headers_wanted(knobs))
		return "none of the chosen propagators is written into requests";
	if (state[SURFACE_CONNECTION_STATE].chosen < 0)
		return surface_reason(&state[SURFACE_CONNECTION_STATE],
				      "connections are not seen when they are opened");
	if (state[SURFACE_WIRE].chosen != WIRE_HOOK_MESSAGES)
		return surface_reason(&state[SURFACE_WIRE], "sk_msg cannot be used");
	return NULL;
}

static const char *option_hindrance(const struct surface_state state[SURFACE_MAX],
				    const struct weft_knobs *knobs)
{
	if (!knobs->tcp_option)
		return "turned off";
	if (state[SURFACE_CONNECTION_STATE].chosen < 0)
		return surface_reason(&state[SURFACE_CONNECTION_STATE],
				      "connections are not seen when they are opened");
	if (state[SURFACE_WIRE].chosen < 0)
		return surface_reason(&state[SURFACE_WIRE], "sock_ops cannot be used");
	return NULL;
}

int propagation_settle(struct loader *loader, const struct surface_state state[SURFACE_MAX],
		       const struct weft_knobs *knobs, struct selftest *ret_test)
{
	const char *no_headers = headers_hindrance(state, knobs);
	const char *no_option = option_hindrance(state, knobs);
	const struct selftest_options options = {
		.kernel = { loader, kernel_set, kernel_enrolled, kernel_remove,
			    kernel_option_came },
		.propagators = knobs->propagators,
		.headers = !no_headers,
		.tcp_option = !no_option,
	};
	int r;

	selftest_run(&options, ret_test);
	if (no_headers)
		snprintf(ret_test->reason, sizeof(ret_test->reason), "%s", no_headers);
	if (no_option)
		snprintf(ret_test->option_reason, sizeof(ret_test->option_reason), "%s", no_option);
	if (ret_test->mode == WIRE_OFF && !ret_test->tcp_option)
		loader_detach_surface(loader, SURFACE_WIRE);
	r = kernel_set(loader, ret_test->mode, false);
	return r < 0 ? r : loader_counters_restart(loader);
}

bool propagation_without_option(const struct selftest *test, const struct weft_knobs *knobs)
{
	return knobs->tcp_option && !test->tcp_option && test->mode != WIRE_OFF;
}

/* --- told --- */

static double milliseconds(uint64_t ns)
{
	uint64_t microseconds = ns / NS_PER_US;

	return (double)microseconds / 1000;
}

static json_t *check_json(const struct selftest_check *check)
{
	static const char *const outcomes[] = {
		[CHECK_OK] = "ok",
		[CHECK_WRONG] = "wrong",
		[CHECK_BROKEN] = "broken",
		[CHECK_SKIPPED] = "skipped",
	};

	return json_pack("{s:s, s:s, s:s, s:s?, s:f}", "check", check->name, "mode",
			 wire_mode_name(check->mode), "outcome", outcomes[check->outcome], "reason",
			 check->reason[0] ? check->reason : NULL, "ms", milliseconds(check->ns));
}

json_t *propagation_json(const struct selftest *test)
{
	json_t *checks = json_array();

	for (size_t i = 0; checks && i < test->n_checks; i++)
		json_array_append_new(checks, check_json(&test->checks[i]));
	return json_pack("{s:s, s:b, s:s?, s:s?, s:f, s:f, s:o}", "mode",
			 wire_mode_name(test->mode), "tcp_option", test->tcp_option, "reason",
			 test->reason[0] ? test->reason : NULL, "option_reason",
			 test->option_reason[0] ? test->option_reason : NULL, "ms",
			 milliseconds(test->ns), "cpu_ms", milliseconds(test->cpu_ns), "checks",
			 checks);
}
