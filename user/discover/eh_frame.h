/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where functions begin and end, as is told to those that unwind the stack: strip(1) leaves it, as
 * a program with exceptions needs it. After "Exception Frames" and ".eh_frame_hdr" of the Linux
 * Standard Base, Core, 10.6; what of DWARF is in there is that of version 4, section 6.4.
 */
#ifndef WEFT_DISCOVER_EH_FRAME_H
#define WEFT_DISCOVER_EH_FRAME_H

#include <stdint.h>

#include "discover/go_image.h"

/* The table that is searched: pairs of where a function begins and where it is described. */
struct eh_frame {
	const struct go_image *image; /* the caller's */
	uint64_t address;	      /* that all in it counts from */
	uint64_t table;		      /* offset in the file */
	uint32_t n;
};

struct eh_function {
	uint64_t start, end; /* addresses */
};

/*
 * -ENOENT: there is no such table; -EBADMSG: malformed; -E2BIG: more functions than real files
 * have; -EOPNOTSUPP: it is written in a way that compilers do not use.
 */
int eh_frame_open(const struct go_image *image, struct eh_frame *ret_frame);

/*
 * The function that the address lies in. -ENOENT: none, or only a part of one, which is jumped into
 * and never called (GCC's ".cold"); the rest as above.
 */
int eh_frame_find(const struct eh_frame *frame, uint64_t address, struct eh_function *ret_function);

#endif
