/* SPDX-License-Identifier: Apache-2.0 */
/* The thread's variable of threadctx.c in a library: how it is reached is the compiler's choice. */

#ifndef PAD
#define PAD 8
#endif

/* As much TLS as it takes to be given no place beside the program's own. */
static __thread volatile char pad[PAD];

__attribute__((visibility("default"))) __thread void *otel_thread_ctx_v1;

__attribute__((visibility("default"))) void variable_set(void *record)
{
	pad[PAD - 1] = 1;
	otel_thread_ctx_v1 = record;
}
