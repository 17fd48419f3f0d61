/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/config/fixture.h"

#include "watcher/knobs.h"

/* The knobs of a configuration that one YAML text and some variables make. */
static struct weft_knobs knobs_of(const char *yaml, char *const *environment)
{
	struct fixture fixture = { 0 };
	struct weft_knobs knobs;

	if (fixture_load(&fixture, CONFIG_RUN, LIST(), environment, yaml) != 0)
		fail_msg("%s: %s", yaml, fixture.messages.error);
	memset(&knobs, 0xff, sizeof(knobs));
	knobs_init(&knobs, &fixture.config);
	fixture_clear(&fixture);
	return knobs;
}

static void test_defaults(void **state)
{
	struct weft_knobs knobs = knobs_of(NULL, LIST());

	(void)state;
	assert_int_equal(knobs.request_head_max, 8192);
	assert_int_equal(knobs.response_head_max, 1024);
	assert_int_equal(knobs.select_all, 1);
	assert_int_equal(knobs.n_ports, 0);
	assert_int_equal(knobs.by_address, 0);
	assert_int_equal(knobs.inject, INJECT_AUTO);
	assert_int_equal(knobs.tcp_option, 1);
	assert_int_equal(knobs.propagators, PROPAGATOR_TRACECONTEXT);
	assert_int_equal(knobs.netns, 0);
	assert_int_equal(knobs.sampler_root, SAMPLER_ALWAYS_ON);
	assert_int_equal(knobs.sampler_parent_based, 1);
	assert_int_equal(knobs.sampler_threshold, 0);
	assert_true(knobs.secret != 0 && knobs.secret != ~0ull);
	/* loopback 2, private 4, link-local 2, what cluster has besides private 1 */
	assert_int_equal(knobs.n_propagate_to, 9);
	assert_memory_equal(knobs.propagate_to, knobs.propagate_trust, sizeof(knobs.propagate_to));
}

static void test_lists(void **state)
{
	struct weft_knobs knobs = knobs_of("port: [80, 443]\nnetns: self\nexe: x\n"
					   "inject: off\ntcp_option: off\n"
					   "propagate: {to: none, trust: 10.0.0.0/8}\n",
					   LIST());
	static const __u8 ten[16] = { [10] = 0xff, [11] = 0xff, [12] = 10 };

	(void)state;
	assert_int_equal(knobs.n_ports, 2);
	assert_int_equal(knobs.ports[1], 443);
	assert_int_equal(knobs.select_all, 0);
	assert_true(knobs.netns != 0);
	assert_int_equal(knobs.inject, INJECT_OFF);
	assert_int_equal(knobs.tcp_option, 0);
	assert_int_equal(knobs.n_propagate_to, 0);
	assert_int_equal(knobs.n_propagate_trust, 1);
	assert_memory_equal(knobs.propagate_trust[0].ip, ten, 16);
	assert_int_equal(knobs.propagate_trust[0].bits, 104);
	assert_int_equal(knobs.propagate_trust[1].bits, 0);
}

/* In their order, four bits each; those that need nothing done leave no gap. */
static void test_propagators(void **state)
{
	static const struct {
		char variable[80];
		__u64 packed;
	} cases[] = {
		{ "OTEL_PROPAGATORS=none", 0 },
		{ "OTEL_PROPAGATORS=baggage", 0 },
		{ "OTEL_PROPAGATORS=b3", 0x2 },
		{ "OTEL_PROPAGATORS=b3,tracecontext,b3", 0x12 },
		{ "OTEL_PROPAGATORS=xray,ottrace,jaeger,baggage,b3multi,b3,tracecontext", 0x12345 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char variable[80];

		snprintf(variable, sizeof(variable), "%s", cases[i].variable);
		assert_int_equal(knobs_of(NULL, LIST(variable)).propagators, cases[i].packed);
	}
}

/* Ratios and thresholds of the specification's table, in the digits that it gives. */
static void test_thresholds(void **state)
{
	static const struct {
		const char *ratio;
		__u64 threshold;
	} exact[] = {
		{ "1", 0 },
		{ "0.5", 0x80000000000000 },
		{ "0.25", 0xc0000000000000 },
		{ "0.125", 0xe0000000000000 },
		{ "0.0625", 0xf0000000000000 },
		{ "0", SAMPLER_THRESHOLD_NONE },
		{ "1.3877787807814457e-17", SAMPLER_THRESHOLD_NONE - 1 },
		{ "1e-30", SAMPLER_THRESHOLD_NONE },
		{ "0.99999999999999988898", 8 },
	}, rounded[] = {
		{ "0.3333333333333333", 0xaaaab }, { "0.2", 0xccccd },
		{ "0.1", 0xe6666 },		   { "0.01", 0xfd70a },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++) {
		char yaml[128];

		snprintf(yaml, sizeof(yaml),
			 "traces_sampler: traceidratio\ntraces_sampler_arg: %s\n", exact[i].ratio);
		assert_int_equal(knobs_of(yaml, LIST()).sampler_threshold, exact[i].threshold);
	}
	for (size_t i = 0; i < sizeof(rounded) / sizeof(rounded[0]); i++) {
		char yaml[128];
		__u64 threshold;

		snprintf(yaml, sizeof(yaml),
			 "traces_sampler: traceidratio\ntraces_sampler_arg: %s\n",
			 rounded[i].ratio);
		threshold = knobs_of(yaml, LIST()).sampler_threshold;
		assert_int_equal((threshold + (1ull << 35)) >> 36, rounded[i].threshold);
	}
}

static void test_samplers(void **state)
{
	static const struct {
		char variable[64];
		__u8 root, parent_based;
		__u64 threshold;
	} cases[] = {
		{ "OTEL_TRACES_SAMPLER=always_on", SAMPLER_ALWAYS_ON, 0, 0 },
		{ "OTEL_TRACES_SAMPLER=always_off", SAMPLER_ALWAYS_OFF, 0, SAMPLER_THRESHOLD_NONE },
		{ "OTEL_TRACES_SAMPLER=traceidratio", SAMPLER_RATIO, 0, 0 },
		{ "OTEL_TRACES_SAMPLER=parentbased_always_on", SAMPLER_ALWAYS_ON, 1, 0 },
		{ "OTEL_TRACES_SAMPLER=parentbased_always_off", SAMPLER_ALWAYS_OFF, 1,
		  SAMPLER_THRESHOLD_NONE },
		{ "OTEL_TRACES_SAMPLER=parentbased_traceidratio", SAMPLER_RATIO, 1, 0 },
		{ "TRACE_SAMPLING_PERCENTAGE=25", SAMPLER_RATIO, 1, 0xc0000000000000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct weft_knobs knobs;
		char variable[64];

		snprintf(variable, sizeof(variable), "%s", cases[i].variable);
		knobs = knobs_of(NULL, LIST(variable));
		assert_int_equal(knobs.sampler_root, cases[i].root);
		assert_int_equal(knobs.sampler_parent_based, cases[i].parent_based);
		assert_int_equal(knobs.sampler_threshold, cases[i].threshold);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),    cmocka_unit_test(test_lists),
		cmocka_unit_test(test_propagators), cmocka_unit_test(test_thresholds),
		cmocka_unit_test(test_samplers),
	};

	return cmocka_run_group_tests_name("watcher/knobs", tests, NULL, NULL);
}
