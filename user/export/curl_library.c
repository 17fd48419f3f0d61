/* SPDX-License-Identifier: Apache-2.0 */
#include "export/curl_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>

/* Its interface has not changed since 7.16.0. */
#define SONAME "libcurl.so.4"

struct curl_library libcurl;

static const struct {
	const char *name;
	size_t offset;
} functions[] = {
#define FUNCTION(name) { "curl_" #name, offsetof(struct curl_library, name) },
	CURL_FUNCTIONS
#undef FUNCTION
};

int curl_library_load(void)
{
	struct curl_library library;
	void *handle;

	if (libcurl.global_init)
		return 0;
	handle = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		return -ELIBACC;
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		void *function = dlsym(handle, functions[i].name);

		if (!function) {
			dlclose(handle);
			return -ELIBACC;
		}
		*(void **)((char *)&library + functions[i].offset) = function;
	}
	libcurl = library;
	return 0;
}
