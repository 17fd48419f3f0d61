/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/tls_library.h"

#include <errno.h>
#include <gelf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "discover/elf_file.h"
#include "discover/go_build.h"
#include "discover/go_function.h"
#include "discover/maps.h"
#include "discover/nss_operations.h"
#include "discover/procfs.h"
#include "discover/rust_symbol.h"
#include "discover/text.h"
#include "discover/tls_places.h"
#include "discover/tls_stripped.h"

#define SECTIONS_MAX  1024
#define TABLES_MAX    (16u << 20) /* bytes of symbols and their names; libssl has some 50 KB */
#define NOTES_MAX     4096
#define CODE_MIN      8	  /* bytes of a function that is worth a name */
#define LIBRARIES_MAX 16  /* that one process maps: more are not looked at */
#define OTHERS_MAX    256 /* other files that it has mapped as code */

/* Beginnings of file names: "libssl.so.3", "libssl-1a2b3c.so.3" (bundled with Python wheels). */
static const struct view names[] = {
	VIEW_INIT("libssl.so"),	 VIEW_INIT("libssl-"),	  VIEW_INIT("libgnutls.so"),
	VIEW_INIT("libgnutls-"), VIEW_INIT("libssl3.so"), /* NSS */
};

/* Programs that have such a library within them, and export its names. */
static const struct view programs[] = {
	VIEW_INIT("node"),
	VIEW_INIT("nodejs"),
};

/* Functions of the same arguments do the same with them. */
static const struct {
	const char *library;
	const char *name;
	enum tls_function_kind kind;
} known[] = {
	{ "OpenSSL", "SSL_write", TLS_FUNCTION_SEND },
	{ "OpenSSL", "SSL_write_ex", TLS_FUNCTION_SEND },
	{ "OpenSSL", "SSL_write_ex2", TLS_FUNCTION_SEND },
	{ "OpenSSL", "SSL_read", TLS_FUNCTION_RECV },
	{ "OpenSSL", "SSL_read_ex", TLS_FUNCTION_RECV_AT },
	{ "GnuTLS", "gnutls_record_send", TLS_FUNCTION_SEND },
	{ "GnuTLS", "gnutls_record_recv", TLS_FUNCTION_RECV },
};

#define N_KNOWN (sizeof(known) / sizeof(known[0]))

static const char rustls[] = "rustls";
static const char nss_exports[] = "SSL_ImportFD"; /* nobody else does */

_Static_assert(N_KNOWN <= TLS_FUNCTIONS_MAX, "a library has room for all of them");

bool tls_library_named(struct view path)
{
	struct view name = text_basename(path);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (view_starts_with(name, names[i]))
			return true;
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (view_equal(name, programs[i]))
			return true;
	return false;
}

struct file {
	int fd;
	Elf *elf;
	size_t budget; /* bytes of tables that may still be read */
	bool is_nss;
};

/* Is there code at the place, and not a breakpoint or what a hole is filled with? */
static bool is_code(const struct file *file, uint64_t offset)
{
	uint8_t code[CODE_MIN];
	bool all_same = true;

	if (offset > INT64_MAX ||
	    pread(file->fd, code, sizeof(code), (off_t)offset) != (ssize_t)sizeof(code))
		return false;
	for (size_t i = 1; i < sizeof(code); i++)
		all_same &= code[i] == code[0];
	return !all_same && code[0] != 0xcc;
}

/* Index in `known`, N_KNOWN: it is none of them. */
static size_t known_index(const char *name)
{
	size_t i = 0;

	while (i < N_KNOWN && strcmp(known[i].name, name) != 0)
		i++;
	return i;
}

/* What a name stands for. False: nothing of a library. */
static bool know(const char *name, const char **ret_library, struct tls_function *ret_function)
{
	enum rust_symbol symbol = rust_symbol_of(name);
	size_t i = known_index(name);

	if (i < N_KNOWN) {
		*ret_library = known[i].library;
		ret_function->kind = known[i].kind;
		ret_function->name = known[i].name;
		return true;
	}
	if (symbol == RUST_SYMBOL_OTHER)
		return false;
	*ret_library = rustls;
	ret_function->kind = symbol == RUST_SYMBOL_ENCRYPT ? TLS_FUNCTION_RUST_WRITE
							   : TLS_FUNCTION_RUST_READ;
	ret_function->name = symbol == RUST_SYMBOL_ENCRYPT ? "encrypt" : "handle";
	return true;
}

static void take_symbol(struct file *file, const GElf_Sym *symbol, const char *name,
			struct tls_library *library)
{
	struct tls_function function;
	const char *of;

	if (GELF_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_shndx == SHN_UNDEF)
		return;
	file->is_nss |= strcmp(name, nss_exports) == 0;
	if (symbol->st_size < CODE_MIN || !know(name, &of, &function))
		return;
	if (library->n_functions == TLS_FUNCTIONS_MAX ||
	    (library->name && strcmp(library->name, of) != 0))
		return;
	if (elf_code_offset(file->elf, symbol->st_value, symbol->st_size, &function.offset) < 0 ||
	    !is_code(file, function.offset))
		return;
	/* two versions of one name at one place are one function */
	for (size_t j = 0; j < library->n_functions; j++)
		if (library->functions[j].offset == function.offset)
			return;
	library->name = of;
	library->direct = of == rustls;
	library->functions[library->n_functions++] = function;
}

static int take_budget(struct file *file, uint64_t size)
{
	if (size > file->budget)
		return -E2BIG;
	file->budget -= size;
	return 0;
}

static int read_symbols(struct file *file, Elf_Scn *section, const GElf_Shdr *header,
			struct tls_library *library)
{
	Elf_Scn *strings = elf_getscn(file->elf, header->sh_link);
	GElf_Shdr strings_header;
	Elf_Data *table;

	if (!strings || !gelf_getshdr(strings, &strings_header) ||
	    header->sh_entsize != sizeof(Elf64_Sym))
		return -EBADMSG;
	if (take_budget(file, header->sh_size) < 0 || take_budget(file, strings_header.sh_size) < 0)
		return -E2BIG;
	table = elf_getdata(section, NULL);
	if (!table)
		return -EBADMSG;
	for (size_t i = 0; i < table->d_size / sizeof(Elf64_Sym); i++) {
		const char *name;
		GElf_Sym symbol;

		if (!gelf_getsym(table, (int)i, &symbol))
			return -EBADMSG;
		name = elf_strptr(file->elf, header->sh_link, symbol.st_name);
		if (name)
			take_symbol(file, &symbol, name, library);
	}
	return 0;
}

static void read_build_id(Elf_Scn *section, struct tls_library *library)
{
	Elf_Data *notes = elf_getdata(section, NULL);
	size_t at = 0, name, descriptor;
	GElf_Nhdr note;

	while (notes && (at = gelf_getnote(notes, at, &note, &name, &descriptor)) > 0) {
		const uint8_t *bytes = (const uint8_t *)notes->d_buf + descriptor;

		if (note.n_type != NT_GNU_BUILD_ID || note.n_descsz > BUILD_ID_MAX)
			continue;
		for (size_t i = 0; i < note.n_descsz; i++)
			snprintf(library->build_id + 2 * i, 3, "%02x", bytes[i]);
		return;
	}
}

/* Takes the symbols of all tables of one type, and the build id. */
static int read_sections(struct file *file, GElf_Word type, struct tls_library *library)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	for (size_t n = 0; (section = elf_nextscn(file->elf, section)); n++) {
		int r = 0;

		if (n == SECTIONS_MAX)
			return -E2BIG;
		if (!gelf_getshdr(section, &header))
			return -EBADMSG;
		if (header.sh_type == type)
			r = read_symbols(file, section, &header, library);
		else if (header.sh_type == SHT_NOTE && header.sh_size <= NOTES_MAX)
			read_build_id(section, library);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What Go's own library is called by, in `go_names`. */
enum go_name {
	GO_WRITE,
	GO_READ,
	GO_NAMES,
};

static const char *const go_names[GO_NAMES] = {
	[GO_WRITE] = "crypto/tls.(*Conn).Write",
	[GO_READ] = "crypto/tls.(*Conn).Read",
};

static void take_place(struct tls_library *library, enum tls_function_kind kind, const char *name,
		       uint64_t offset)
{
	library->functions[library->n_functions++] =
		(struct tls_function){ .kind = kind, .name = name, .offset = offset };
}

_Static_assert(GO_NAMES + GO_RETURNS_MAX <= TLS_FUNCTIONS_MAX, "all returns have room");

static int read_go(int fd, struct tls_library *library)
{
	struct go_function found[GO_NAMES];
	const struct go_function *reads = &found[GO_READ];
	int r = go_functions_find(fd, ELF_MACHINE, go_names, GO_NAMES, found);

	for (size_t i = 0; r == 0 && i < GO_NAMES; i++)
		r = found[i].result;
	if (r < 0)
		return r;
	library->name = "Go";
	library->found_by = "the runtime's table";
	library->direct = true;
	take_place(library, TLS_FUNCTION_GO_WRITE, go_names[GO_WRITE], found[GO_WRITE].entry);
	take_place(library, TLS_FUNCTION_GO_READ, go_names[GO_READ], reads->entry);
	for (size_t i = 0; i < reads->n_returns; i++)
		take_place(library, TLS_FUNCTION_GO_RETURN, go_names[GO_READ], reads->returns[i]);
	return 0;
}

static int read_nss(struct file *file, struct tls_library *library)
{
	struct nss_operations operations;
	uint64_t recv, send;
	int r = nss_operations_find(file->elf, file->fd, &operations);

	if (r == 0)
		r = elf_code_offset(file->elf, operations.recv, CODE_MIN, &recv);
	if (r == 0)
		r = elf_code_offset(file->elf, operations.send, CODE_MIN, &send);
	if (r < 0)
		return r;
	library->name = "NSS";
	library->found_by = "their table";
	take_place(library, TLS_FUNCTION_RECV, "ssl_SecureRecv", recv);
	take_place(library, TLS_FUNCTION_SEND, "ssl_SecureSend", send);
	return 0;
}

static bool is_go(int fd)
{
	char version[GO_VERSION_MAX + 1];

	return go_build_read(fd, version) == 0;
}

/* Bytes that come in are of no use without those that go out, and the other way round. */
static bool is_whole(const struct tls_library *library)
{
	bool sends = false, receives = false;

	for (size_t i = 0; i < library->n_functions; i++) {
		enum tls_function_kind kind = library->functions[i].kind;

		if (kind == TLS_FUNCTION_SEND || kind == TLS_FUNCTION_RUST_WRITE)
			sends = true;
		else
			receives = true;
	}
	return sends && receives;
}

static int read_library(int fd, struct tls_cache *cache, struct tls_library *ret_library)
{
	_cleanup_(elf_close) Elf *elf = NULL;
	struct tls_library library = { 0 };
	struct file file = { .fd = fd, .budget = TABLES_MAX };
	int r;

	r = elf_open(fd, &elf);
	if (r < 0)
		return r;
	file.elf = elf;
	if (is_go(fd)) {
		r = read_go(fd, &library);
		if (r == 0)
			*ret_library = library;
		return r;
	}
	r = read_sections(&file, SHT_DYNSYM, &library);
	if (r == 0 && !library.n_functions && file.is_nss)
		r = read_nss(&file, &library);
	/* within a program nothing need be exported */
	if (r == 0 && !is_whole(&library))
		r = read_sections(&file, SHT_SYMTAB, &library);
	if (r < 0)
		return r;
	if (!library.found_by)
		library.found_by = "symbols";
	if (!is_whole(&library)) {
		library.found_by = "what its error paths name";
		r = tls_stripped_find(fd, ELF_MACHINE, cache, &library);
		/* that it could not be looked for says nothing of the file */
		if (r < 0)
			return r == -ENOMEM ? r : -ENOENT;
	}
	*ret_library = library;
	return 0;
}

int tls_library_read(int fd, struct tls_cache *cache, struct tls_library *ret_library)
{
	int r = read_library(fd, cache, ret_library);

	if (r == 0)
		tls_places_settle(fd, ret_library);
	return r;
}

/* The file that is mapped, whatever lies at its path by now. */
static int open_mapped(int dir, const struct mapping *mapping, int *ret_fd)
{
	char name[64];
	int r = mapping_file(mapping, name, sizeof(name));

	return r < 0 ? r : procfs_open_regular(dir, name, ret_fd);
}

/* True: its program is Go's, or any is wanted, and was found. */
static bool find_program(int dir, bool any, tls_library_found found, void *context)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;

	if (procfs_open_regular(dir, "exe", &fd) < 0 || !(any || is_go(fd)) ||
	    procfs_readlink(dir, "exe", &path) < 0)
		return false;
	found(context, TLS_FILE_PROGRAM, fd, view_of(path));
	return true;
}

/* Gives the number of files; each is mapped once as code, or in pieces that follow each other. */
static int find_mapped(int dir, struct view rest, enum tls_file why, tls_library_found found,
		       void *context)
{
	int n = 0, max = why == TLS_FILE_NAMED ? LIBRARIES_MAX : OTHERS_MAX;
	struct mapping mapping;
	struct view last = { 0 };

	while (n < max && maps_next(&rest, &mapping)) {
		_cleanup_close_ int fd = -1;

		if (text_index(mapping.permissions, 'x') < 0 || mapping.path.len == 0 ||
		    mapping.path.data[0] != '/' || view_equal(mapping.path, last) ||
		    tls_library_named(mapping.path) != (why == TLS_FILE_NAMED))
			continue;
		last = mapping.path;
		if (open_mapped(dir, &mapping, &fd) < 0)
			continue;
		found(context, why, fd, mapping.path);
		n++;
	}
	return n;
}

int tls_library_scan(const char *proc, pid_t pid, bool speaks, tls_library_found found,
		     void *context)
{
	_cleanup_close_ int dir = -1;
	_cleanup_procfs_file_ struct procfs_file maps = { 0 };
	int n = 0;
	int r = procfs_open(proc, pid, &dir);

	if (r == 0)
		r = procfs_read(dir, "maps", PROCFS_MAPS_MAX, &maps);
	if (r < 0)
		return r;
	n += find_program(dir, speaks, found, context);
	n += find_mapped(dir, procfs_file_view(&maps), TLS_FILE_NAMED, found, context);
	if (speaks)
		find_mapped(dir, procfs_file_view(&maps), TLS_FILE_OTHER, found, context);
	return n;
}

int tls_library_hinted(int fd)
{
	return tls_stripped_hinted(fd, ELF_MACHINE);
}
