/* SPDX-License-Identifier: Apache-2.0 */
#include "attach/preempt.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"

/* Only root may read it, and nobody under lockdown, which refuses the hooks in question as well. */
#define SCHEDULER_MODES "/sys/kernel/debug/sched/preempt"

/* Is the word in the text, and not as part of another one? */
static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = strstr(text, word); at; at = strstr(at + 1, word)) {
		bool begins = at == text || at[-1] == ' ';

		if (begins && (at[len] == '\0' || at[len] == ' ' || at[len] == '\n'))
			return true;
	}
	return false;
}

bool preempt_is_said(const char *version, const char *modes, const char *command_line)
{
	/* built so: init/Makefile */
	if (has_word(version, "PREEMPT") || has_word(version, "PREEMPT_RT"))
		return true;
	if (!has_word(version, "PREEMPT_DYNAMIC"))
		return false;
	/* the mode in force stands in brackets: sched_dynamic_show() */
	if (modes[0])
		return strstr(modes, "(full)") != NULL;
	return has_word(command_line, "preempt=full");
}

static void read_text(const char *path, char *text, size_t size)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	size_t n = file ? fread(text, 1, size - 1, file) : 0;

	text[n] = '\0';
}

bool preempt_is_on(void)
{
	char modes[128], command_line[4096];
	struct utsname name;

	if (uname(&name) < 0)
		return false;
	read_text(SCHEDULER_MODES, modes, sizeof(modes));
	read_text("/proc/cmdline", command_line, sizeof(command_line));
	return preempt_is_said(name.version, modes, command_line);
}
