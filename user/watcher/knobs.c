/* SPDX-License-Identifier: Apache-2.0 */
#include "watcher/knobs.h"

#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "watcher/selection.h"

static const struct {
	__u8 root; /* enum sampler_root */
	__u8 parent_based;
} samplers[] = {
	[CONFIG_SAMPLER_ALWAYS_ON] = { SAMPLER_ALWAYS_ON, 0 },
	[CONFIG_SAMPLER_ALWAYS_OFF] = { SAMPLER_ALWAYS_OFF, 0 },
	[CONFIG_SAMPLER_RATIO] = { SAMPLER_RATIO, 0 },
	[CONFIG_SAMPLER_PARENT_ALWAYS_ON] = { SAMPLER_ALWAYS_ON, 1 },
	[CONFIG_SAMPLER_PARENT_ALWAYS_OFF] = { SAMPLER_ALWAYS_OFF, 1 },
	[CONFIG_SAMPLER_PARENT_RATIO] = { SAMPLER_RATIO, 1 },
};

/*
 * OpenTelemetry, "TraceState: Probability Sampling": a trace is kept if the last 56 bits of its id
 * are not below (1 - ratio) * 2^56. SDKs of the time before that text keep ids *below* a bound,
 * each of another part of the id (Go 63 bits, Java 63 others, Node the exclusive or of four words):
 * they agree with nobody, and share only what a parent has decided. The threshold is exact: the
 * text lets it be rounded to four digits for the sake of tracestate, which is not written here.
 */
static __u64 ratio_threshold(double ratio)
{
	double kept = ratio * (double)SAMPLER_THRESHOLD_NONE; /* exact: a power of two */
	__u64 whole = (__u64)kept;

	return SAMPLER_THRESHOLD_NONE - whole - (kept - (double)whole >= 0.5);
}

static void set_sampler(struct weft_knobs *knobs, const struct config *config)
{
	knobs->sampler_root = samplers[config->sampler].root;
	knobs->sampler_parent_based = samplers[config->sampler].parent_based;
	switch ((enum sampler_root)knobs->sampler_root) {
	case SAMPLER_ALWAYS_ON:
		knobs->sampler_threshold = 0;
		break;
	case SAMPLER_ALWAYS_OFF:
		knobs->sampler_threshold = SAMPLER_THRESHOLD_NONE;
		break;
	case SAMPLER_RATIO:
		knobs->sampler_threshold = ratio_threshold(config->sampler_ratio);
		break;
	}
}

static __u8 copy_ranges(struct address_range *knob, const struct ranges *ranges)
{
	memcpy(knob, ranges->items, ranges->n * sizeof(*knob));
	return (__u8)ranges->n;
}

void knobs_init(struct weft_knobs *knobs, const struct config *config)
{
	*knobs = (struct weft_knobs){
		.request_head_max = (__u32)config->request_head,
		.response_head_max = (__u32)config->response_head,
		.select_all = selection_is_all(config),
		.inject = (__u8)config->inject,
		.tcp_option = (__u8)config->tcp_option,
		.propagators = config_propagators(config),
		.netns = config->netns,
	};
	if (getrandom(&knobs->secret, sizeof(knobs->secret), GRND_NONBLOCK) < 0)
		knobs->secret = clock_monotonic_ns();
	for (size_t i = 0; i < config->ports.n && i < CONFIG_PORTS_MAX; i++)
		knobs->ports[knobs->n_ports++] = (__u16)config->ports.items[i];
	knobs->n_propagate_to = copy_ranges(knobs->propagate_to, &config->propagate_to);
	knobs->n_propagate_trust = copy_ranges(knobs->propagate_trust, &config->propagate_trust);
	set_sampler(knobs, config);
}
