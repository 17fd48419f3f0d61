/* SPDX-License-Identifier: Apache-2.0 */
/* Names of TLS' cipher suites. */
#ifndef WEFT_PROTOCOLS_TLS_CIPHER_H
#define WEFT_PROTOCOLS_TLS_CIPHER_H

#include <stdint.h>

/*
 * The suite's description in IANA's registry "TLS Cipher Suites", as the semantic convention of
 * tls.cipher wants it. NULL: it is not among those that are in use.
 */
const char *tls_cipher_name(uint16_t suite);

#endif
