/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name that a ClientHello asks for. Input: two bytes of a length before each hello; whatever
 * they are, a name that is kept has but the bytes of one, and only so many are kept.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conn/tls_names.h"

#define NAMES_MAX 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool right)
{
	if (!right)
		abort();
}

static void require_name(struct view name)
{
	require(name.len <= TLS_NAME_MAX);
	for (size_t i = 0; i < name.len; i++)
		require(name.data[i] > ' ' && name.data[i] < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_names *names;
	uint64_t conn = 0;
	size_t at = 0;

	if (tls_names_new(NAMES_MAX, &names) < 0)
		abort();
	while (size - at > 2) {
		size_t len = (size_t)data[at] << 8 | data[at + 1];
		uint64_t kept = 0;

		at += 2;
		if (len > size - at)
			len = size - at;
		tls_names_hello(names, ++conn,
				(struct view){ .data = (const char *)data + at, .len = len });
		at += len;
		for (uint64_t i = conn > 64 ? conn - 64 : 1; i <= conn; i++) {
			require_name(tls_names_get(names, i));
			kept += tls_names_get(names, i).len > 0;
		}
		require(kept <= NAMES_MAX);
	}
	tls_names_free(names);
	return 0;
}
