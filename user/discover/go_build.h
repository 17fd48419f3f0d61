/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells Go programs apart by what the Go linker leaves in each of them, stripped ones too: its
 * build information (cmd/link, "\xff Go buildinf:"), usually in the section .go.buildinfo.
 */
#ifndef WEFT_DISCOVER_GO_BUILD_H
#define WEFT_DISCOVER_GO_BUILD_H

#define GO_VERSION_MAX 64

/*
 * Looks at the open executable `fd`. 0: a Go program; `ret_version` is its toolchain ("go1.22.1")
 * or empty (before Go 1.18 the text lies elsewhere). -ENOENT: no Go program; -EBADMSG: no 64-bit
 * ELF file of this machine's byte order, or malformed; -E2BIG: more headers than real files have;
 * -errno of pread. Reads at most 200 KiB.
 */
int go_build_read(int fd, char ret_version[GO_VERSION_MAX + 1]);

#endif
