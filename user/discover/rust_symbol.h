/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of functions as Rust writes them into a program's table of symbols: of rustls, the two by
 * which each record of every connection goes.
 */
#ifndef WEFT_DISCOVER_RUST_SYMBOL_H
#define WEFT_DISCOVER_RUST_SYMBOL_H

enum rust_symbol {
	RUST_SYMBOL_OTHER,
	RUST_SYMBOL_ENCRYPT, /* <... as rustls::...::MessageEncrypter>::encrypt: each cipher's */
	RUST_SYMBOL_HANDLE,  /* <rustls::...::ExpectTraffic as ...::State<...>>::handle */
};

/* `name`: mangled, in the older way ("_ZN...17h...E") or in that of RFC 2603 ("_R..."). */
enum rust_symbol rust_symbol_of(const char *name);

#endif
