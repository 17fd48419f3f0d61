/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names that clients have asked for when they began to speak TLS (Server Name Indication, RFC
 * 6066 section 3), by connection. So many are kept; where there are more the oldest is forgotten.
 */
#ifndef WEFT_CONN_TLS_NAMES_H
#define WEFT_CONN_TLS_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/view.h"

#define TLS_NAME_MAX 255 /* bytes, as of a DNS name (RFC 1035 section 2.3.4) */

struct tls_names;

/*
 * The host name that the ClientHello at the beginning of a handshake record asks for (RFC 8446
 * section 4.1.2). `bytes` may end anywhere. 0, and a view of them; -ENODATA: they end before it;
 * -ENOENT: there is none; -EBADMSG: it is no ClientHello, or no host name.
 */
int tls_hello_name(struct view bytes, struct view *ret_name);

/* Keeps up to `max` names. -ENOMEM. Freed with tls_names_free(). */
int tls_names_new(size_t max, struct tls_names **ret_names);

/* Accepts NULL; gives NULL. */
struct tls_names *tls_names_free(struct tls_names *names);

/* A connection has begun with that ClientHello. Without memory its name is not known. */
void tls_names_hello(struct tls_names *names, uint64_t conn, struct view bytes);

/* The connection's name, empty if it is not known. Good until the next hello. */
struct view tls_names_get(const struct tls_names *names, uint64_t conn);

#endif
