/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/nss_operations.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "discover/elf_file.h"

#define SECTIONS_MAX	1024
#define CONSTANTS_MAX	(4u << 20)  /* bytes of pointers that do not change; libssl3 has 13 KB */
#define RELOCATIONS_MAX (16u << 20) /* bytes */
#define WORD		8
#define CODE_MAX	16 /* bytes of a function that only goes on to another one */

#if defined(__x86_64__)
#define RELOCATION_RELATIVE R_X86_64_RELATIVE
#elif defined(__aarch64__)
#define RELOCATION_RELATIVE R_AARCH64_RELATIVE
#endif

/* struct sslSocketOps (lib/ssl/sslimpl.h), as it has been since NSS 3.12. */
enum {
	OPS_CONNECT,
	OPS_ACCEPT, /* not in use any more */
	OPS_BIND,
	OPS_LISTEN,
	OPS_SHUTDOWN,
	OPS_CLOSE,
	OPS_RECV,
	OPS_SEND,
	OPS_READ,
	OPS_WRITE,
	OPS_GETPEERNAME,
	OPS_GETSOCKNAME,
	OPS_MAX,
};

struct search {
	Elf *elf;
	int fd;
	uint64_t *words; /* of the section, as they are when the file is loaded */
	size_t n_words;
	uint64_t address; /* of the first one */
	size_t n_found;
	struct nss_operations found;
};

static bool read_code(const struct search *search, uint64_t address, uint8_t code[CODE_MAX])
{
	uint64_t offset;

	return elf_code_offset(search->elf, address, CODE_MAX, &offset) == 0 &&
	       pread(search->fd, code, CODE_MAX, (off_t)offset) == CODE_MAX;
}

/* Does the code do nothing but add a fourth argument, 0, and go on at `to`? */
#if defined(__x86_64__)
static bool goes_on(const uint8_t code[CODE_MAX], uint64_t address, uint64_t to)
{
	static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	static const uint8_t xor_ecx_ecx[] = { 0x31, 0xc9 };
	size_t at = memcmp(code, endbr64, sizeof(endbr64)) == 0 ? sizeof(endbr64) : 0;
	int32_t far;

	if (memcmp(code + at, xor_ecx_ecx, sizeof(xor_ecx_ecx)) != 0)
		return false;
	at += sizeof(xor_ecx_ecx);
	if (code[at] == 0xeb) /* jmp rel8 */
		return address + at + 2 + (uint64_t)(int8_t)code[at + 1] == to;
	memcpy(&far, code + at + 1, sizeof(far));
	return code[at] == 0xe9 && address + at + 5 + (uint64_t)far == to; /* jmp rel32 */
}
#elif defined(__aarch64__)
static bool goes_on(const uint8_t code[CODE_MAX], uint64_t address, uint64_t to)
{
	uint32_t instructions[CODE_MAX / 4];
	size_t at;

	memcpy(instructions, code, CODE_MAX);
	at = instructions[0] == 0xd503245f; /* bti c */
	/* mov w3, #0; mov w3, wzr */
	if (instructions[at] != 0x52800003 && instructions[at] != 0x2a1f03e3)
		return false;
	at++;
	/* b: 26 bits, signed, of words */
	return instructions[at] >> 26 == 0x05 &&
	       address + 4 * at + (uint64_t)((int64_t)((uint64_t)instructions[at] << 38) >> 36) ==
		       to;
}
#endif

/*
 * ssl_SecureRead() is ssl_SecureRecv() without flags, and so are the writers: no other table has
 * that. The one for connections without TLS, which is like it, calls what lies beneath instead.
 */
static bool is_table(const struct search *search, const uint64_t *words)
{
	uint8_t read[CODE_MAX], write[CODE_MAX];

	for (size_t i = 0; i < OPS_MAX; i++)
		if ((words[i] == 0) != (i == OPS_ACCEPT))
			return false;
	return read_code(search, words[OPS_READ], read) &&
	       read_code(search, words[OPS_WRITE], write) &&
	       goes_on(read, words[OPS_READ], words[OPS_RECV]) &&
	       goes_on(write, words[OPS_WRITE], words[OPS_SEND]);
}

/* What the file does not hold itself: the loader adds where it has put the file to these. */
static int relocate(struct search *search, Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Data *table;

	if (header->sh_size > RELOCATIONS_MAX)
		return -E2BIG;
	table = elf_getdata(section, NULL);
	if (!table || header->sh_entsize != sizeof(Elf64_Rela))
		return -EBADMSG;
	for (size_t i = 0; i < table->d_size / sizeof(Elf64_Rela); i++) {
		GElf_Rela relocation;
		uint64_t at;

		if (!gelf_getrela(table, (int)i, &relocation))
			return -EBADMSG;
		at = relocation.r_offset - search->address;
		if (GELF_R_TYPE(relocation.r_info) == RELOCATION_RELATIVE &&
		    at / WORD < search->n_words && at % WORD == 0)
			search->words[at / WORD] = (uint64_t)relocation.r_addend;
	}
	return 0;
}

static int relocate_all(struct search *search)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	for (size_t n = 0; (section = elf_nextscn(search->elf, section)); n++) {
		int r;

		if (n == SECTIONS_MAX)
			return -E2BIG;
		if (!gelf_getshdr(section, &header))
			return -EBADMSG;
		r = header.sh_type == SHT_RELA ? relocate(search, section, &header) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int search_section(struct search *search, Elf_Scn *section, const GElf_Shdr *header)
{
	_cleanup_free_ uint64_t *words = NULL;
	Elf_Data *data;
	int r;

	if (header->sh_size > CONSTANTS_MAX)
		return -E2BIG;
	data = elf_getdata(section, NULL);
	if (!data || !data->d_buf)
		return -EBADMSG;
	search->n_words = data->d_size / WORD;
	search->address = header->sh_addr;
	words = calloc(search->n_words + 1, WORD);
	if (!words)
		return -ENOMEM;
	memcpy(words, data->d_buf, search->n_words * WORD);
	search->words = words;
	r = relocate_all(search);
	for (size_t i = 0; r == 0 && i + OPS_MAX <= search->n_words; i++)
		if (is_table(search, &words[i])) {
			search->found.recv = words[i + OPS_RECV];
			search->found.send = words[i + OPS_SEND];
			search->n_found++;
		}
	return r;
}

/* The constants that hold pointers. NULL: the file has none. */
static Elf_Scn *find_constants(Elf *elf, size_t names, GElf_Shdr *ret_header)
{
	Elf_Scn *section = NULL;

	for (size_t n = 0; n < SECTIONS_MAX && (section = elf_nextscn(elf, section)); n++) {
		const char *name;

		if (!gelf_getshdr(section, ret_header))
			return NULL;
		name = elf_strptr(elf, names, ret_header->sh_name);
		if (ret_header->sh_type == SHT_PROGBITS && name &&
		    strcmp(name, ".data.rel.ro") == 0)
			return section;
	}
	return NULL;
}

int nss_operations_find(Elf *elf, int fd, struct nss_operations *ret_operations)
{
	struct search search = { .elf = elf, .fd = fd };
	GElf_Shdr header;
	Elf_Scn *section;
	size_t names;
	int r;

	if (elf_getshdrstrndx(elf, &names) != 0)
		return -EBADMSG;
	section = find_constants(elf, names, &header);
	r = section ? search_section(&search, section, &header) : -ENOENT;
	if (r < 0)
		return r;
	if (search.n_found != 1)
		return -ENOENT;
	*ret_operations = search.found;
	return 0;
}
