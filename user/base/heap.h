/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BASE_HEAP_H
#define WEFT_BASE_HEAP_H

/*
 * Gives pages in which nothing is allocated any more back to the system, as far as the C library
 * can. Takes up to two milliseconds for ten MiB of heap: for once in a while.
 */
void heap_give_back(void);

#endif
