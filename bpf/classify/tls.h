/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Records of TLS, as far as they are in the clear: RFC 8446 section 5.1, RFC 5246 section 6.2.1.
 * Pure functions of bytes: built for BPF and for the host.
 */
#ifndef WEFT_CLASSIFY_TLS_H
#define WEFT_CLASSIFY_TLS_H

#include "abi/event.h"
#include "lib/piece.h"

enum tls_type {
	TLS_CHANGE_CIPHER_SPEC = 20,
	TLS_ALERT,
	TLS_HANDSHAKE,
	TLS_APPLICATION_DATA,
	TLS_HEARTBEAT,
};

#define TLS_FRAGMENT_MAX   16384
#define TLS_FRAGMENT_LEAST 512 /* of several that a write is cut into */
/* What a cipher may add: RFC 5246 section 6.2.3 allows 2048, and nobody is known to use it all. */
#define TLS_RECORD_MAX (TLS_FRAGMENT_MAX + 2048)
/* What ciphers add in fact: 16 to 40 bytes, and with CBC up to 255 bytes of padding. */
#define TLS_ADDED_MIN 16
#define TLS_ADDED_MAX 320
#define TLS_ADDED_1_3 17 /* a tag of 16 bytes and the inner type: RFC 8446 section 5.2 */
#define TLS_ADDED_1_2 24 /* AES-GCM: the nonce's 8 bytes and a tag of 16: RFC 5288 section 3 */

/* A Finished of TLS 1.3 by itself, as records hold it: SHA-256 or SHA-384 behind 4 bytes. */
#define TLS_FINISHED_256 (4 + 32 + TLS_ADDED_1_3)
#define TLS_FINISHED_384 (4 + 48 + TLS_ADDED_1_3)

#define TLS_CLIENT_HELLO       1
#define TLS_SERVER_HELLO       2
#define TLS_SUPPORTED_VERSIONS 43 /* RFC 8446 section 4.2.1 */
#define TLS_EXTENSIONS_MAX     24 /* that are looked at: a ServerHello has few */
/* Of a ServerHello: type, length, version, random */
#define TLS_HELLO_SESSION 38

static __always_inline __u32 tls_u16(const __u8 *p)
{
	return (__u32)p[0] << 8 | p[1];
}

/* Length of the record whose header this is; 0: it is none. */
static __always_inline __u32 tls_record_len(const __u8 *header)
{
	__u32 len = tls_u16(header + 3);

	if (header[0] < TLS_CHANGE_CIPHER_SPEC || header[0] > TLS_HEARTBEAT || header[1] != 3 ||
	    header[2] > 4 || len > TLS_RECORD_MAX)
		return 0;
	return len;
}

/* May a connection begin with these bytes, or go on with them, if it carries TLS? */
static __always_inline int tls_starts(const __u8 *p, __u32 len)
{
	return len >= 5 && (p[0] == TLS_HANDSHAKE || p[0] == TLS_APPLICATION_DATA) &&
	       tls_record_len(p) != 0;
}

/* From a version as it stands on the wire. */
static __always_inline enum tls_version tls_version_of(__u32 wire)
{
	return wire >= 0x0301 && wire <= 0x0304 ? TLS_VERSION_1_0 + wire - 0x0301
						: TLS_VERSION_UNKNOWN;
}

/* Are the `len` bytes of a handshake record the beginning of a ServerHello? */
static __always_inline int tls_is_server_hello(const struct piece *piece, __u32 len)
{
	return len >= TLS_HELLO_SESSION + 1 && len <= PIECE_MAX &&
	       piece_byte(piece, 0) == TLS_SERVER_HELLO;
}

/* The cipher suite that it settles, 0: none. */
PIECE_FUNCTION __u32 tls_hello_cipher(const struct piece *piece, __u32 len)
{
	__u32 at;

	if (!piece || !tls_is_server_hello(piece, len))
		return 0;
	at = TLS_HELLO_SESSION + 1 + piece_byte(piece, TLS_HELLO_SESSION);
	if (at + 2 > len)
		return 0;
	return (__u32)piece_byte(piece, at) << 8 | piece_byte(piece, at + 1);
}

/*
 * The version that the `len` bytes of a handshake record settle, TLS_VERSION_NONE if they are not
 * the beginning of a ServerHello. RFC 8446 section 4.1.3: from 1.3 on an extension says it.
 */
PIECE_FUNCTION __u32 tls_hello_version(const struct piece *piece, __u32 len)
{
	__u32 at, version;

	if (!piece || !tls_is_server_hello(piece, len))
		return TLS_VERSION_NONE;
	version = (__u32)piece_byte(piece, 4) << 8 | piece_byte(piece, 5);
	/* session id, cipher suite, compression method, length of the extensions */
	at = TLS_HELLO_SESSION + 1 + piece_byte(piece, TLS_HELLO_SESSION) + 5;
	for (__u32 i = 0; i < TLS_EXTENSIONS_MAX; i++) {
		__u64 word;

		if (at + 6 > len)
			break;
		word = piece_word(piece, at);
		if ((word & 0xffff) == TLS_SUPPORTED_VERSIONS << 8) {
			version = (__u32)piece_byte(piece, at + 4) << 8 | piece_byte(piece, at + 5);
			break;
		}
		at += 4 + ((__u32)(word >> 16 & 0xff) << 8 | (__u32)(word >> 24 & 0xff));
	}
	return tls_version_of(version);
}

/*
 * Of `size` bytes that a library was asked to send, how many are in a record of `len` bytes; 0: the
 * record holds none of them.
 */
static __always_inline __u32 tls_fragment(__u32 size, __u32 len)
{
	if (len < TLS_ADDED_MIN)
		return 0;
	if (size <= TLS_FRAGMENT_MAX && size + TLS_ADDED_MIN <= len)
		return len - size <= TLS_ADDED_MAX ? size : 0;
	if (len > TLS_FRAGMENT_MAX)
		return TLS_FRAGMENT_MAX;
	/* the library was told to make smaller records: of a round number of bytes */
	return (len - TLS_ADDED_MIN) & ~511u;
}

/*
 * The same of a library whose ciphers are all known to add as much, and that never makes several
 * small records of one write: what is smaller is an alert, or belongs to a handshake.
 */
static __always_inline __u32 tls_fragment_exact(__u32 size, __u32 len, __u32 added)
{
	if (len < TLS_FRAGMENT_LEAST + added && len < size + TLS_ADDED_MIN)
		return 0;
	if (size <= TLS_FRAGMENT_MAX && size + TLS_ADDED_MIN <= len)
		return len - size <= TLS_ADDED_MAX ? size : 0;
	return len - added;
}

#endif
