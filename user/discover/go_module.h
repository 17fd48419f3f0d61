/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables that Go's runtime keeps of its functions, in stripped executables, too: its "pclntab",
 * and of "moduledata" what is needed to tell where the code lies. After Go's runtime/symtab.go and
 * cmd/link/internal/ld/pcln.go.
 */
#ifndef WEFT_DISCOVER_GO_MODULE_H
#define WEFT_DISCOVER_GO_MODULE_H

#include <stddef.h>
#include <stdint.h>

#include "discover/go_image.h"

/* A part of the file. */
struct go_span {
	uint64_t offset;
	uint64_t size;
};

/* A function's addresses; in `end`, the next one begins. */
struct go_place {
	uint64_t address;
	uint64_t end;
};

/* What Go's versions write differently. */
struct go_layout {
	uint32_t magic;
	uint8_t offsets_at; /* in the header: where the tables begin */
	uint8_t word;	    /* bytes of a number in the list of functions */
	uint8_t name_at;    /* in what is said of one function */
	uint8_t deltas_at;
	uint8_t flags_at;
	uint8_t size;
};

struct go_module {
	const struct go_layout *layout;
	uint64_t address;     /* of the header */
	uint64_t offset;      /* of the header, in the file */
	uint64_t code;	      /* address from which the list counts; 0: it has addresses */
	uint64_t n_functions; /* one more line in the list tells where the last one ends */
	uint8_t quantum;      /* bytes of the shortest instruction */
	struct go_span names;
	struct go_span deltas;	  /* "pctab" */
	struct go_span functions; /* begins with the list of them, sorted by address */
};

/*
 * -ENOENT: no Go program; -EBADMSG: malformed; -E2BIG: larger than real files are; -EOPNOTSUPP: of
 * a Go that passes arguments otherwise (before 1.17; on Arm before 1.18), or of an unknown one.
 */
int go_module_read(const struct go_image *image, struct go_module *ret_module);

/*
 * A line of the list: the address of a function (or of the end), and, which the last line has not,
 * where `functions` describes it.
 */
uint64_t go_module_address(const struct go_module *module, const uint8_t *line);
uint64_t go_module_about(const struct go_module *module, const uint8_t *line);

#endif
