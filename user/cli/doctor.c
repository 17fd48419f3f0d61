/* SPDX-License-Identifier: Apache-2.0 */
/* What weft can do on this machine, and why not more: each hook is really loaded and attached. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "attach/loader.h"
#include "attach/propagation.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/command.h"
#include "watcher/knobs.h"
#include "watcher/tls_choice.h"
#include "watcher/privileges.h"

#define DOCTOR_RING_SIZE (256u << 10)

struct finding {
	const char *name;
	char text[256];
	bool good;
};

enum finding_id {
	FINDING_KERNEL,
	FINDING_BTF,
	FINDING_LOCKDOWN,
	FINDING_CAPABILITIES,
	FINDING_CGROUP,
	FINDING_BPFFS,
	FINDING_JIT,
	FINDING_MAX,
};

struct report {
	struct finding findings[FINDING_MAX];
	struct surface_state surfaces[SURFACE_MAX];
	int loaded; /* 0, or -errno of the loader */
	struct selftest propagation;
	struct tls_choice tls;
};

/* First line of a small file, without its end. */
static bool read_line(const char *path, char *text, size_t size)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");

	if (!file || !fgets(text, (int)size, file))
		return false;
	text[strcspn(text, "\n")] = 0;
	return true;
}

static void look_at_kernel(struct finding *finding)
{
	struct utsname name;

	finding->name = "kernel";
	finding->good = uname(&name) == 0;
	if (finding->good)
		snprintf(finding->text, sizeof(finding->text), "%.100s %.60s", name.release,
			 name.machine);
}

static void look_at_btf(struct finding *finding)
{
	finding->name = "BTF";
	finding->good = access("/sys/kernel/btf/vmlinux", R_OK) == 0;
	snprintf(finding->text, sizeof(finding->text), "%s",
		 finding->good ? "/sys/kernel/btf/vmlinux"
			       : "missing: weft needs a kernel built with CONFIG_DEBUG_INFO_BTF");
}

/* "none [integrity] confidentiality": the one in brackets is in force. */
static void look_at_lockdown(struct finding *finding)
{
	char line[128] = "";
	char *start, *end;

	finding->name = "lockdown";
	finding->good = true;
	if (!read_line("/sys/kernel/security/lockdown", line, sizeof(line))) {
		snprintf(finding->text, sizeof(finding->text),
			 "not known (securityfs is not mounted)");
		return;
	}
	start = strchr(line, '[');
	end = start ? strchr(start, ']') : NULL;
	if (end)
		*end = 0;
	snprintf(finding->text, sizeof(finding->text), "%s", end ? start + 1 : line);
	finding->good = !strstr(finding->text, "confidentiality");
	if (!finding->good)
		snprintf(finding->text, sizeof(finding->text),
			 "confidentiality: BPF may not read memory, nothing can be traced");
}

static void look_at_capabilities(struct finding *finding)
{
	char missing[200] = "";

	finding->name = "capabilities";
	finding->good = privileges_check(missing, sizeof(missing)) == 0;
	if (finding->good)
		snprintf(finding->text, sizeof(finding->text), "all that are needed");
	else
		snprintf(finding->text, sizeof(finding->text), "missing: %s (run as root)",
			 missing);
}

/* The mount point of the first file system of a type. */
static bool find_mount(const char *type, char *ret_path, size_t size)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *entry;
	bool found = false;

	while (mounts && !found && (entry = getmntent(mounts))) {
		found = strcmp(entry->mnt_type, type) == 0;
		if (found)
			snprintf(ret_path, size, "%s", entry->mnt_dir);
	}
	if (mounts)
		endmntent(mounts);
	return found;
}

static void look_at_mount(struct finding *finding, const char *name, const char *type,
			  const char *without)
{
	finding->name = name;
	finding->good = find_mount(type, finding->text, sizeof(finding->text));
	if (!finding->good)
		snprintf(finding->text, sizeof(finding->text), "not mounted: %s", without);
}

static void look_at_jit(struct finding *finding)
{
	char value[16] = "";

	finding->name = "BPF JIT";
	finding->good = !read_line("/proc/sys/net/core/bpf_jit_enable", value, sizeof(value)) ||
			strcmp(value, "0") != 0;
	snprintf(finding->text, sizeof(finding->text), "%s",
		 finding->good ? "on"
			       : "off: tracing costs several times more "
				 "(sysctl net.core.bpf_jit_enable=1)");
}

/* Attached, the programs look at nobody but this process, and that only while it tests itself. */
static int try_hooks(struct report *report, const struct weft_knobs *knobs, struct loader *loader)
{
	const struct process_config own = { .flags = PROCESS_F_NOTED };
	int r = loader_process_set(loader, (uint32_t)getpid(), own);

	if (r == 0)
		r = loader_attach(loader, report->surfaces);
	if (r == 0)
		r = propagation_settle(loader, report->surfaces, knobs, &report->propagation);
	return r;
}

static void look_at_hooks(struct report *report, const struct config *config)
{
	struct loader_options options = { .ring_size = DOCTOR_RING_SIZE };
	struct loader *loader;

	knobs_init(&options.knobs, config);
	tls_choose(config, &report->tls);
	options.knobs.tls = report->tls.on;
	options.hooks_off[SURFACE_WIRE] = propagation_hooks_off(&options.knobs);
	options.hooks_off[SURFACE_OPEN] = options.knobs.tcp_option ? 0 : 1;
	options.hooks_off[SURFACE_LIBRARIES] = options.knobs.tls ? 0 : ~0u;
	options.hooks_off[SURFACE_DIRECT] = options.hooks_off[SURFACE_LIBRARIES];
	report->loaded = loader_new(&options, report->surfaces, &loader);
	if (report->loaded < 0)
		return;
	report->loaded = try_hooks(report, &options.knobs, loader);
	loader_free(loader);
}

static void examine(struct report *report, const struct config *config)
{
	look_at_kernel(&report->findings[FINDING_KERNEL]);
	look_at_btf(&report->findings[FINDING_BTF]);
	look_at_lockdown(&report->findings[FINDING_LOCKDOWN]);
	look_at_capabilities(&report->findings[FINDING_CAPABILITIES]);
	look_at_mount(&report->findings[FINDING_CGROUP], "cgroup v2", "cgroup2",
		      "requests that leave the host do not carry their trace");
	look_at_mount(&report->findings[FINDING_BPFFS], "bpffs", "bpf",
		      "nothing of this version needs it");
	look_at_jit(&report->findings[FINDING_JIT]);
	look_at_hooks(report, config);
}

/* Why a surface is off: the last reason that there is. */
static const char *surface_reason(const struct report *report, size_t index)
{
	for (size_t i = SURFACE_HOOKS_MAX; i-- > 0;)
		if (report->surfaces[index].reasons[i][0])
			return report->surfaces[index].reasons[i];
	return report->loaded < 0 ? strerror(-report->loaded) : "not tried";
}

static bool surface_is_on(const struct report *report, size_t index)
{
	return report->loaded != -EPERM && report->loaded != -ENOENT &&
	       report->surfaces[index].chosen >= 0;
}

static void print_tls(const struct tls_choice *tls, size_t index)
{
	const char *left_out = index == SURFACE_DIRECT ? "not Go: " : "not GnuTLS: ";

	if (tls->reason[0] && (index == SURFACE_LIBRARIES || index == SURFACE_DIRECT))
		printf("  %-17s   %s%s\n", "", tls->on ? left_out : "", tls->reason);
}

static void print_surface(const struct report *report, size_t index)
{
	const struct surface *surface = &surfaces[index];
	const struct surface_state *state = &report->surfaces[index];

	if (surface_is_on(report, index))
		printf("  %-17s %s\n", surface->name, surface->hooks[state->chosen].name);
	else
		printf("  %-17s OFF: %s\n", surface->name, surface->without);
	for (size_t i = 0; i < surface_hooks(surface); i++)
		if (state->reasons[i][0])
			printf("  %-17s   not %s: %s\n", "", surface->hooks[i].name,
			       state->reasons[i]);
	print_tls(&report->tls, index);
	if (!surface_is_on(report, index) && !state->reasons[0][0])
		printf("  %-17s   %s\n", "", surface_reason(report, index));
}

static bool can_trace(const struct report *report)
{
	return report->loaded == 0 && surface_is_on(report, SURFACE_SOCKET_DATA);
}

/* What the modes mean to people. */
static const char *const wire_mode_texts[] = {
	[WIRE_OFF] = "off",
	[WIRE_FULL] = "in every request",
	[WIRE_EARLY_LEAVE] = "in the first request of a connection",
};

static void print_check(const struct selftest_check *check)
{
	static const char *const outcomes[] = {
		[CHECK_OK] = "ok",
		[CHECK_WRONG] = "WRONG: ",
		[CHECK_BROKEN] = "FAILED: ",
		[CHECK_SKIPPED] = "skipped: ",
	};

	printf("  %-11s %-27s %6.2f ms  %s%s\n", wire_mode_name(check->mode), check->name,
	       (double)check->ns / NS_PER_MS, outcomes[check->outcome], check->reason);
}

static void print_propagation(const struct selftest *test)
{
	printf("context on requests that go out\n  %-17s %s%s%s\n", "headers",
	       wire_mode_texts[test->mode], test->reason[0] ? ": " : "", test->reason);
	printf("  %-17s %s%s%s\n", "TCP option", test->tcp_option ? "on" : "off",
	       test->option_reason[0] ? ": " : "", test->option_reason);
	if (!test->n_checks)
		return;
	printf("self-test on connections of weft's own, %.1f ms\n", (double)test->ns / NS_PER_MS);
	for (size_t i = 0; i < test->n_checks; i++)
		print_check(&test->checks[i]);
}

static void print_text(const struct report *report)
{
	printf("this machine\n");
	for (size_t i = 0; i < FINDING_MAX; i++)
		printf("  %-17s %s\n", report->findings[i].name, report->findings[i].text);
	printf("hooks, each loaded and attached on trial\n");
	for (size_t i = 0; i < SURFACE_MAX; i++)
		print_surface(report, i);
	if (report->loaded == 0)
		print_propagation(&report->propagation);
	printf("%s\n",
	       can_trace(report) ? "weft can trace this host" : "weft can NOT trace this host");
}

static json_t *surface_json(const struct report *report, size_t index)
{
	const struct surface *surface = &surfaces[index];
	json_t *refused = json_object();
	bool on = surface_is_on(report, index);

	for (size_t i = 0; i < surface_hooks(surface); i++)
		if (report->surfaces[index].reasons[i][0])
			json_object_set_new(refused, surface->hooks[i].name,
					    json_string(report->surfaces[index].reasons[i]));
	return json_pack("{s:s, s:s?, s:o, s:s?}", "surface", surface->name, "hook",
			 on ? surface->hooks[report->surfaces[index].chosen].name : NULL, "refused",
			 refused, "without", on ? NULL : surface->without);
}

static int print_json(const struct report *report)
{
	json_t *machine = json_object();
	json_t *hooks = json_array();
	json_t *root;
	int r;

	for (size_t i = 0; i < FINDING_MAX; i++)
		json_object_set_new(machine, report->findings[i].name,
				    json_pack("{s:b, s:s}", "good", report->findings[i].good,
					      "text", report->findings[i].text));
	for (size_t i = 0; i < SURFACE_MAX; i++)
		json_array_append_new(hooks, surface_json(report, i));
	root = json_pack("{s:b, s:o, s:o, s:o}", "can_trace", can_trace(report), "machine", machine,
			 "hooks", hooks, "propagation", propagation_json(&report->propagation));
	r = root ? json_dumpf(root, stdout, JSON_INDENT(2)) : -1;
	printf("\n");
	json_decref(root);
	return r;
}

int cli_doctor(int argc, char **argv)
{
	_cleanup_(config_clear) struct config config = { 0 };
	struct report report = { .loaded = -EPERM };
	int r = cli_load(&config, CONFIG_DOCTOR, argc, argv);

	if (r != STATUS_OK)
		return r;
	examine(&report, &config);
	if (config.json)
		print_json(&report);
	else
		print_text(&report);
	return can_trace(&report) ? STATUS_OK : STATUS_FAILURE;
}
