/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/failing.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <sanitizer/lsan_interface.h>

/* More than any scenario asks for. */
#define RUNS_MAX 100000

static struct {
	unsigned long left; /* allocations until one fails; 0: none does */
	bool stays;	    /* those behind it fail, too */
	bool paused;
	unsigned int happened;
} failing;

static bool fails(void)
{
	if (failing.paused || failing.left == 0)
		return false;
	if (failing.left > 1) {
		failing.left--;
		return false;
	}
	failing.left = failing.stays ? 1 : 0;
	failing.happened++;
	errno = ENOMEM;
	return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *pointer, size_t size);
void *__real_reallocarray(void *pointer, size_t n, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
int __real_vasprintf(char **ret_text, const char *format, va_list arguments);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *pointer, size_t size);
void *__wrap_reallocarray(void *pointer, size_t n, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);
int __wrap_vasprintf(char **ret_text, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));
int __wrap_asprintf(char **ret_text, const char *format, ...) __attribute__((format(printf, 2, 3)));

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *pointer, size_t size)
{
	return fails() ? NULL : __real_realloc(pointer, size);
}

void *__wrap_reallocarray(void *pointer, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(pointer, n, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t size)
{
	return fails() ? NULL : __real_strndup(text, size);
}

int __wrap_vasprintf(char **ret_text, const char *format, va_list arguments)
{
	return fails() ? -1 : __real_vasprintf(ret_text, format, arguments);
}

int __wrap_asprintf(char **ret_text, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = __wrap_vasprintf(ret_text, format, arguments);
	va_end(arguments);
	return n;
}

static void run_all(void (*scenario)(void *context), void *context, bool stays)
{
	unsigned long n = 0;

	do {
		failing.stays = stays;
		failing.paused = false;
		failing.happened = 0;
		failing.left = ++n;
		scenario(context);
		failing.left = 0;
		assert_true(n < RUNS_MAX);
	} while (failing.happened);
	/* a scenario that asks for nothing tests nothing */
	assert_true(n > 1);
}

void every_allocation_fails(void (*scenario)(void *context), void *context)
{
	json_set_alloc_funcs(__wrap_malloc, free);
	run_all(scenario, context, false);
	run_all(scenario, context, true);
	json_set_alloc_funcs(malloc, free);
	assert_int_equal(__lsan_do_recoverable_leak_check(), 0);
}

unsigned int failing_happened(void)
{
	return failing.happened;
}

void failing_pause(void)
{
	failing.paused = true;
}

void failing_resume(void)
{
	failing.paused = false;
}
