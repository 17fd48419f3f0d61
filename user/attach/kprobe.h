/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kprobes. A kretprobe follows as many calls at a time as it was made for, and by default that is
 * twice the CPUs: too few for functions in which every thread of a server may wait. tracefs takes a
 * number.
 */
#ifndef WEFT_ATTACH_KPROBE_H
#define WEFT_ATTACH_KPROBE_H

#include <stdbool.h>
#include <stdint.h>

struct bpf_link;
struct bpf_program;

/* Is it a program of kprobe type? */
bool kprobe_is(const struct bpf_program *program);

/* Attaches a program of kprobe type to a function. NULL: failed, errno says why. */
struct bpf_link *kprobe_attach(struct bpf_program *program, const char *function);

/* Calls whose return was not followed, for too many were under way. */
uint64_t kprobe_missed(void);

/* Takes back what is left in tracefs of links that are gone, of this process and of dead ones. */
void kprobe_clean(void);

#endif
