/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PEM files that TLS needs. The process that exports runs as a user who must not be able to read a
 * key, so the watcher reads them and hands over the bytes: they have no name in a file system that
 * another one could open, and are overwritten before their memory is given back.
 */
#ifndef WEFT_EXPORT_CREDENTIALS_H
#define WEFT_EXPORT_CREDENTIALS_H

#include <stddef.h>
#include <stdio.h>

#include "base/cursor.h"

enum credential {
	CREDENTIAL_AUTHORITIES, /* whom to trust */
	CREDENTIAL_CERTIFICATE, /* the client's */
	CREDENTIAL_KEY,		/* of that one */
	CREDENTIAL_MAX,
};

/* All zero: there is none of them. */
struct credentials {
	struct credential_bytes {
		char *data;
		size_t len;
	} items[CREDENTIAL_MAX];
};

/*
 * Reads these files; NULL paths are passed over. -EINVAL: one is not what it should be; -ENOMEM;
 * -errno of open(2) or read(2). `error` says which, why, and what to do.
 */
int credentials_read(const char *const paths[CREDENTIAL_MAX], struct credentials *ret_credentials,
		     char *error, size_t size);

/* -ENOMEM. */
int credentials_copy(const struct credentials *credentials, struct credentials *ret_credentials);

/* Overwrites and frees. */
void credentials_clear(struct credentials *credentials);

/* For another process of this program: the bytes in a file, which is not buffered. -EIO. */
int credentials_pack(const struct credentials *credentials, FILE *out);

/* -EBADMSG, -ENOMEM. */
int credentials_unpack(struct cursor *cursor, struct credentials *ret_credentials);

#endif
