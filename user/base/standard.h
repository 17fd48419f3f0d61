/* SPDX-License-Identifier: Apache-2.0 */
/* The three standard descriptors. */
#ifndef WEFT_BASE_STANDARD_H
#define WEFT_BASE_STANDARD_H

/* Leads them nowhere: who waits for the end of weft's output must not wait for this process. */
void standard_leave(void);

#endif
