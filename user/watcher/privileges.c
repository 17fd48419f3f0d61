/* SPDX-License-Identifier: Apache-2.0 */
#include "watcher/privileges.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/capability.h>
#include <sys/prctl.h>

enum keep {
	KEEP_EFFECTIVE,
	KEEP_PERMITTED,
};

static const struct {
	cap_value_t value;
	enum keep keep;
	bool needed;
} capabilities[] = {
	{ CAP_BPF, KEEP_EFFECTIVE, true },
	{ CAP_PERFMON, KEEP_EFFECTIVE, true },
	{ CAP_SYS_PTRACE, KEEP_EFFECTIVE, false },
	{ CAP_DAC_READ_SEARCH, KEEP_EFFECTIVE, false },
	{ CAP_CHECKPOINT_RESTORE, KEEP_EFFECTIVE, false },
	{ CAP_SETUID, KEEP_PERMITTED, true },
	{ CAP_SETGID, KEEP_PERMITTED, true },
	{ CAP_SETPCAP, KEEP_PERMITTED, false },
	{ CAP_KILL, KEEP_PERMITTED, false },
};

#define N_CAPABILITIES (sizeof(capabilities) / sizeof(capabilities[0]))

static bool is_effective(cap_t set, cap_value_t value)
{
	cap_flag_value_t flag = CAP_CLEAR;

	return cap_get_flag(set, value, CAP_EFFECTIVE, &flag) == 0 && flag == CAP_SET;
}

int privileges_check(char *ret_missing, size_t size)
{
	cap_t set = cap_get_proc();
	size_t used = 0;

	if (!set)
		return -errno;
	for (size_t i = 0; i < N_CAPABILITIES; i++) {
		char *name;

		if (!capabilities[i].needed || is_effective(set, capabilities[i].value))
			continue;
		name = cap_to_name(capabilities[i].value);
		if (name && used < size)
			used += (size_t)snprintf(ret_missing + used, size - used, "%s%s",
						 used ? ", " : "", name);
		cap_free(name);
	}
	cap_free(set);
	return used ? -EPERM : 0;
}

int privileges_reduce(void)
{
	cap_t has = cap_get_proc();
	cap_t set = cap_init();
	int r = has && set ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < N_CAPABILITIES; i++) {
		const cap_value_t *value = &capabilities[i].value;

		if (!is_effective(has, *value))
			continue;
		cap_set_flag(set, CAP_PERMITTED, 1, value, CAP_SET);
		if (capabilities[i].keep == KEEP_EFFECTIVE)
			cap_set_flag(set, CAP_EFFECTIVE, 1, value, CAP_SET);
	}
	if (r == 0 && cap_set_proc(set) < 0)
		r = -errno;
	cap_free(has);
	cap_free(set);
	/* the same memory and descriptors that the kernel guards for others are guarded here */
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = -errno;
	return r;
}

int privileges_only_bpf(void)
{
	const cap_value_t value = CAP_BPF;
	cap_t set = cap_init();
	int r = set ? 0 : -ENOMEM;

	if (r == 0 && (cap_set_flag(set, CAP_PERMITTED, 1, &value, CAP_SET) < 0 ||
		       cap_set_flag(set, CAP_EFFECTIVE, 1, &value, CAP_SET) < 0 ||
		       cap_set_proc(set) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0))
		r = -errno;
	cap_free(set);
	return r;
}

int privileges_raise(void)
{
	cap_t set = cap_get_proc();
	int r = set ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < N_CAPABILITIES; i++) {
		cap_flag_value_t flag = CAP_CLEAR;

		cap_get_flag(set, capabilities[i].value, CAP_PERMITTED, &flag);
		if (flag == CAP_SET)
			cap_set_flag(set, CAP_EFFECTIVE, 1, &capabilities[i].value, CAP_SET);
	}
	if (r == 0 && cap_set_proc(set) < 0)
		r = -errno;
	cap_free(set);
	return r;
}
