/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Base types of the kernel/user interface. The files in bpf/abi are the only headers that both
 * sides include: plain data, no functions, a static assertion on every size.
 */
#ifndef WEFT_ABI_TYPES_H
#define WEFT_ABI_TYPES_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define WEFT_COMM_LEN	  16
#define WEFT_TRACE_ID_LEN 16
#define WEFT_SPAN_ID_LEN  8

#endif
