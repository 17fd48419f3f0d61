/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions through which all bytes go that NSS encrypts and decrypts. They have no name
 * outside the library, but a place in a table: ssl_secure_ops (lib/ssl/sslsock.c), which every
 * connection that speaks TLS points to. Files are hostile: sizes are bounded before anything of
 * them is read.
 */
#ifndef WEFT_DISCOVER_NSS_OPERATIONS_H
#define WEFT_DISCOVER_NSS_OPERATIONS_H

#include <gelf.h>
#include <stdint.h>

/* Addresses, as the file's segments have them. */
struct nss_operations {
	uint64_t recv; /* ssl_SecureRecv(connection, buffer, size, flags); returns how much */
	uint64_t send; /* ssl_SecureSend(connection, buffer, size, flags) */
};

/*
 * Looks for the table in the file, `fd`, of this machine's kind, that is open as `elf`. -ENOENT:
 * there is none that is certain; -EBADMSG: the file is malformed; -E2BIG: its tables are larger
 * than real files have; -ENOMEM.
 */
int nss_operations_find(Elf *elf, int fd, struct nss_operations *ret_operations);

#endif
