/* SPDX-License-Identifier: Apache-2.0 */
#include "watcher/kernel_side.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "attach/propagation.h"
#include "base/clock.h"
#include "base/log.h"
#include "watcher/knobs.h"
#include "watcher/selection.h"

/* How often the programs are loaded: once, and once more without what does not work here. */
#define LOADS_MAX 3

static int load_failed(int r)
{
	if (r == -ENOENT)
		return log_error_r(
			r, "this kernel has no type information (BTF): /sys/kernel/btf/vmlinux "
			   "is missing; weft needs a kernel built with CONFIG_DEBUG_INFO_BTF");
	if (r == -EPERM)
		return log_error_r(
			r, "the kernel does not let weft load BPF programs; 'weft doctor' says "
			   "more");
	return log_error_r(r, "cannot load the BPF programs: %s; 'weft doctor' says which and why",
			   strerror(-r));
}

static int attach_and_settle(struct loader *loader, struct surface_state state[SURFACE_MAX],
			     const struct weft_knobs *knobs, struct selftest *test)
{
	int r = selection_exclude(loader, getpid());

	if (r == 0)
		r = loader_attach(loader, state);
	if (r == 0)
		r = propagation_settle(loader, state, knobs, test);
	return r < 0 ? log_error_r(r, "cannot attach: %s", strerror(-r)) : 0;
}

static void tell(const struct selftest *test, const struct weft_knobs *knobs)
{
	if (test->mode == WIRE_OFF && knobs->inject != INJECT_OFF)
		log_warning("requests are given no trace context: %s; 'weft doctor' says more",
			    test->reason);
	log_debug("headers: %s%s%s; TCP option: %s%s%s; self-test: %.1f ms",
		  wire_mode_name(test->mode), test->reason[0] ? ": " : "", test->reason,
		  test->tcp_option ? "on" : "off", test->option_reason[0] ? ": " : "",
		  test->option_reason, (double)test->ns / NS_PER_MS);
}

static void tell_tls(const struct tls_choice *tls)
{
	if (tls->reason[0])
		log_info("what TLS carries is not seen%s: %s; --tls on looks all the same",
			 tls->on ? " in programs of Go and with GnuTLS" : "", tls->reason);
}

int kernel_side_prepare(const struct config *config, const struct tls_choice *tls,
			struct surface_state ret_state[SURFACE_MAX], struct selftest *ret_test,
			struct loader **ret_loader)
{
	struct loader_options options = { .ring_size = (uint32_t)config->ring_size };
	char no_option[SELFTEST_REASON_MAX] = "";
	struct loader *loader = NULL;

	knobs_init(&options.knobs, config);
	options.knobs.tls = tls->on;
	tell_tls(tls);
	for (int i = 0; i < LOADS_MAX; i++) {
		int r;

		options.hooks_off[SURFACE_WIRE] = propagation_hooks_off(&options.knobs);
		options.hooks_off[SURFACE_OPEN] = options.knobs.tcp_option ? 0 : 1;
		options.hooks_off[SURFACE_LIBRARIES] = options.knobs.tls ? 0 : ~0u;
		options.hooks_off[SURFACE_DIRECT] = options.hooks_off[SURFACE_LIBRARIES];
		r = loader_new(&options, ret_state, &loader);
		if (r == -EOPNOTSUPP && options.knobs.tls) {
			log_warning("what TLS carries is not seen: this kernel does not take the "
				    "programs that look for it");
			options.knobs.tls = 0;
			continue;
		}
		if (r < 0)
			return load_failed(r);
		r = attach_and_settle(loader, ret_state, &options.knobs, ret_test);
		if (r < 0) {
			loader_free(loader);
			return r;
		}
		if (!propagation_without_option(ret_test, &options.knobs))
			break;
		memcpy(no_option, ret_test->option_reason, sizeof(no_option));
		loader = loader_free(loader);
		options.knobs.tcp_option = 0;
	}
	if (no_option[0])
		memcpy(ret_test->option_reason, no_option, sizeof(no_option));
	tell(ret_test, &options.knobs);
	*ret_loader = loader;
	return 0;
}

int kernel_side_begin(struct loader *loader, const struct selftest *test)
{
	return loader_wire_set(loader, (struct wire_config){ .mode = test->mode });
}
