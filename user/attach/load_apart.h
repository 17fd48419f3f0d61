/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that are verified at the same time. The kernel takes tens of milliseconds of one
 * processor for a large program, and a start has several; libbpf loads them one after the other.
 */
#ifndef WEFT_ATTACH_LOAD_APART_H
#define WEFT_ATTACH_LOAD_APART_H

/*
 * From here to load_apart_end() libbpf's loads of large programs return at once, with a descriptor
 * of a program that does nothing, and go on in threads. In one thread. With libbpf before 1.0
 * nothing changes.
 */
void load_apart_begin(void);

/*
 * Waits for them. `loaded`: what libbpf's load has returned. If that is 0, puts the programs in the
 * place of those that do nothing: 0, or the -errno of one that failed; then the object is to be
 * closed, and a load without this says why. Else `loaded`: libbpf has closed what it was given.
 */
int load_apart_end(int loaded);

#endif
