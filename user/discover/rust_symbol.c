/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/rust_symbol.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/*
 * In both ways of mangling a part of a path stands behind its length. What stands before the last
 * one tells whose method it is; behind it, the older way has a hash, and the newer one nothing.
 * LLVM may add a suffix with a dot.
 */
static const struct {
	const char *mangling;
	const char *crate;
	const char *who;
	const char *method;
	bool ends; /* with the method */
	enum rust_symbol symbol;
} known[] = {
	{ "_ZN", "rustls..", "..MessageEncrypter$GT$", "7encrypt17h", false, RUST_SYMBOL_ENCRYPT },
	{ "_ZN", "rustls..", "..ExpectTraffic$u20$as$u20$", "$GT$6handle17h", false,
	  RUST_SYMBOL_HANDLE },
	{ "_R", "6rustls", "16MessageEncrypter", "7encrypt", true, RUST_SYMBOL_ENCRYPT },
	{ "_R", "6rustls", "13ExpectTraffic", "E6handle", true, RUST_SYMBOL_HANDLE },
};

#define N_KNOWN (sizeof(known) / sizeof(known[0]))

/* What is there until keys are settled: it encrypts nothing. */
static const char nobody[] = "InvalidMessageEncrypter";

static bool is_method(const char *rest, const char *method, bool ends)
{
	const char *at = strstr(rest, method);

	if (!at)
		return false;
	at += strlen(method);
	return !ends || !*at || *at == '.';
}

enum rust_symbol rust_symbol_of(const char *name)
{
	for (size_t i = 0; i < N_KNOWN; i++) {
		const char *who;

		if (strncmp(name, known[i].mangling, strlen(known[i].mangling)) != 0)
			continue;
		who = strstr(name, known[i].who);
		if (who && strstr(name, known[i].crate) && !strstr(name, nobody) &&
		    is_method(who, known[i].method, known[i].ends))
			return known[i].symbol;
	}
	return RUST_SYMBOL_OTHER;
}
