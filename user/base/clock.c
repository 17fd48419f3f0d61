/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int64_t clock_namespace_ns;

int clock_parse_offsets(const char *text, int64_t *ret_ns)
{
	long long seconds, nanoseconds;

	for (; text && *text; text = strchr(text, '\n'), text += !!text) {
		if (sscanf(text, "monotonic %lld %lld", &seconds, &nanoseconds) != 2)
			continue;
		*ret_ns = seconds * (int64_t)NS_PER_SEC + nanoseconds;
		return 0;
	}
	return -EBADMSG;
}

void clock_init(void)
{
	FILE *file = fopen("/proc/self/timens_offsets", "re");
	char text[256];
	size_t n;

	if (!file)
		return;
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = 0;
	clock_parse_offsets(text, &clock_namespace_ns);
	fclose(file);
}
