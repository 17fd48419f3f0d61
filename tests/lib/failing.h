/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that cannot be had. Unit tests are linked so that the daemon's own calls of malloc and its
 * kin come by here (Makefile: FAILING); jansson's do while a scenario runs. Other libraries' do
 * not.
 */
#ifndef WEFT_TESTS_LIB_FAILING_H
#define WEFT_TESTS_LIB_FAILING_H

#include <stdbool.h>

/*
 * Runs the scenario again and again; in its nth run allocation n fails, at first alone, then with
 * all that follow. Ends when a run asks for less than that. A scenario makes all that it needs,
 * checks what came of it, and leaves nothing behind: a leak fails the test. It says itself what a
 * run may end with, and that nothing else may be wrong when nothing has failed (failing_happened).
 */
void every_allocation_fails(void (*scenario)(void *context), void *context);

/* How many allocations of this run have failed. */
unsigned int failing_happened(void);

/* Between these two a scenario gets what it asks for: to make what it checks with. */
void failing_pause(void);
void failing_resume(void);

#endif
