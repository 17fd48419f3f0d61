/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL and BoringSSL within files that have no symbols of them: a stripped program, or a library
 * of another name. Their functions are told by what their error paths pass on: strings and numbers
 * that the code of that function alone refers to.
 */
#ifndef WEFT_DISCOVER_TLS_STRIPPED_H
#define WEFT_DISCOVER_TLS_STRIPPED_H

#include "discover/tls_cache.h"
#include "discover/tls_library.h"

/*
 * `machine`: EM_X86_64 or EM_AARCH64. `cache`: by the library's build id, which is filled in; or
 * NULL. Fills in name and functions of the library and leaves the
 * rest alone. -ENOENT: there is none, or what there is could be more than one thing; -EBADMSG: no
 * ELF file of that machine, or malformed; -E2BIG: larger than is looked through; -EOPNOTSUPP: its
 * functions are told in an uncommon way; -ENOMEM.
 */
int tls_stripped_find(int fd, uint16_t machine, struct tls_cache *cache,
		      struct tls_library *library);

/* Is there a string of it at all? 0, or as above; it takes the smaller part of the time. */
int tls_stripped_hinted(int fd, uint16_t machine);

#endif
