/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BASE_VERSION_H
#define WEFT_BASE_VERSION_H

/* The build gives both with -D; WEFT_COMMIT only when it builds from a repository. */
#ifndef WEFT_VERSION
#define WEFT_VERSION "0.1.0"
#endif

#endif
