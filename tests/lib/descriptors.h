/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_TESTS_LIB_DESCRIPTORS_H
#define WEFT_TESTS_LIB_DESCRIPTORS_H

#include <stddef.h>

/* How many this process has open, and a few more, always as many: to be compared with itself. */
size_t open_descriptors(void);

#endif
