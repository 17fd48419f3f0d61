// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The classifiers in the kernel, where they can be run by themselves: programs of weft's own types
 * have no BPF_PROG_TEST_RUN, and this one hooks nothing. tests/bpf/parse.c compares what it finds
 * with what the same text finds when it is built for the host.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "parse.h"

char LICENSE[] SEC("license") = "GPL";

/* The one piece: user space writes it, runs the program, and reads what came out. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct parse);
} pieces SEC(".maps");

SEC("syscall")
int parse(void *context)
{
	__u32 slot = 0;
	struct parse *parse = bpf_map_lookup_elem(&pieces, &slot);
	__u64 len;

	if (!parse)
		return 1;
	len = parse->len;
	verify_here(len);
	if (len > PIECE_MAX)
		return 1;
	parse_run(parse, len);
	return 0;
}
