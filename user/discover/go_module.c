/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/go_module.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"

#define TABLE_MAX	(256u << 20) /* bytes of pclntab; the largest programs have 180 MB */
#define NAMES_MAX	(128u << 20)
#define FUNCTIONS_MAX	(4u << 20)
#define DATA_MAX	(128u << 20) /* bytes of a section that is searched */
#define RELOCATIONS_MAX (128u << 20) /* bytes */
#define CANDIDATES_MAX	16

#define WORD		8
#define TABLE_ALIGNMENT 16

/* The header: magic, two zeros, two sizes; then words: functions, files, and where tables begin. */
#define QUANTUM_AT   6
#define WORD_SIZE_AT 7
#define COUNT_AT     8
#define HEADER_LEN   72
#define MAGIC_1_17   0xfffffffa

enum table {
	TABLE_NAMES,
	TABLE_UNITS,
	TABLE_FILES,
	TABLE_DELTAS,
	TABLE_FUNCTIONS,
	N_TABLES,
};

static const struct go_layout layouts[] = {
	/* Go 1.16 has the same; its code looks otherwise */
	{ MAGIC_1_17, 24, 8, 8, 20, 41, 44 },
	{ 0xfffffff0, 32, 4, 4, 16, 37, 40 }, /* 1.18 */
	{ 0xfffffff1, 32, 4, 4, 16, 41, 44 }, /* 1.20 */
};

/* moduledata begins with these words in all of those versions. */
enum word {
	WORD_HEADER = 0,
	WORD_NAMES = 1,
	WORD_FUNCTIONS = 13,
	WORD_LIST = 16,
	WORD_LIST_LEN = 17,
	WORD_FIRST = 20, /* address of the first function */
	WORD_END = 21,	 /* where the last one ends */
	WORD_CODE = 22,
	WORD_CODE_END = 23,
	N_WORDS = 24,
};

struct candidate {
	uint64_t address;
	uint64_t words[N_WORDS];
};

struct search {
	const struct go_image *image;
	const struct go_module *module;
	struct candidate candidates[CANDIDATES_MAX];
	size_t n;
};

static uint64_t get_word(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

static uint32_t get_half(const uint8_t *bytes)
{
	uint32_t half;

	memcpy(&half, bytes, sizeof(half));
	return half;
}

uint64_t go_module_address(const struct go_module *module, const uint8_t *line)
{
	return module->layout->word == WORD ? get_word(line) : module->code + get_half(line);
}

uint64_t go_module_about(const struct go_module *module, const uint8_t *line)
{
	return module->layout->word == WORD ? get_word(line + WORD)
					    : get_half(line + sizeof(uint32_t));
}

static const struct go_layout *layout_of(uint32_t magic)
{
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		if (layouts[i].magic == magic)
			return &layouts[i];
	return NULL;
}

static bool is_header(const uint8_t *bytes, uint16_t machine)
{
	uint8_t quantum = machine == EM_X86_64 ? 1 : 4;

	return layout_of(get_half(bytes)) && bytes[4] == 0 && bytes[5] == 0 &&
	       bytes[QUANTUM_AT] == quantum && bytes[WORD_SIZE_AT] == WORD;
}

static struct go_span table_span(struct go_span all, const uint64_t *at, enum table table)
{
	uint64_t end = table + 1 < N_TABLES ? at[table + 1] : all.size;

	return (struct go_span){ all.offset + at[table], end - at[table] };
}

/* `all`: from the header to the section's end. */
static int read_header(const struct go_image *image, struct go_span all, struct go_module *module)
{
	uint8_t header[HEADER_LEN];
	uint64_t at[N_TABLES], before = HEADER_LEN - WORD;
	int r;

	if (all.size > TABLE_MAX)
		return -E2BIG;
	if (all.size < sizeof(header))
		return -EBADMSG;
	r = go_image_read(image, header, sizeof(header), all.offset);
	if (r < 0)
		return r;
	module->layout = layout_of(get_half(header));
	/* on Arm, 1.17 still passes arguments on the stack */
	if (!module->layout || (module->layout->magic == MAGIC_1_17 && image->machine != EM_X86_64))
		return -EOPNOTSUPP;
	if (!is_header(header, image->machine))
		return -EBADMSG;
	for (size_t i = 0; i < N_TABLES; i++) {
		at[i] = get_word(header + module->layout->offsets_at + i * WORD);
		if (at[i] < before || at[i] > all.size)
			return -EBADMSG;
		before = at[i];
	}
	module->quantum = header[QUANTUM_AT];
	module->n_functions = get_word(header + COUNT_AT);
	module->names = table_span(all, at, TABLE_NAMES);
	module->deltas = table_span(all, at, TABLE_DELTAS);
	module->functions = table_span(all, at, TABLE_FUNCTIONS);
	if (module->n_functions > FUNCTIONS_MAX || module->names.size > NAMES_MAX)
		return -E2BIG;
	if (module->n_functions == 0 ||
	    (2 * module->n_functions + 1) * module->layout->word > module->functions.size)
		return -EBADMSG;
	return 0;
}

/* Linkers put it among other data that is relocated: there it is found by how it begins. */
static int search_header(const struct go_image *image, const Elf64_Shdr *section,
			 uint64_t *ret_inside)
{
	_cleanup_(go_window_close) struct go_window window = { 0 };
	const uint8_t *bytes;
	size_t len;
	int r;

	if (section->sh_size > DATA_MAX)
		return -E2BIG;
	r = go_window_open(image, section->sh_offset + section->sh_size, &window);
	if (r < 0)
		return r;
	for (uint64_t at = -section->sh_addr & (TABLE_ALIGNMENT - 1);
	     at + TABLE_ALIGNMENT <= section->sh_size; at += TABLE_ALIGNMENT) {
		r = go_window_get(&window, section->sh_offset + at, TABLE_ALIGNMENT, &bytes, &len);
		if (r < 0)
			return r;
		if (is_header(bytes, image->machine)) {
			*ret_inside = at;
			return 0;
		}
	}
	return -ENOENT;
}

static int find_header(const struct go_image *image, struct go_module *module)
{
	const Elf64_Shdr *section = go_image_section(image, ".gopclntab");
	uint64_t inside = 0;
	int r;

	if (!section)
		section = go_image_section(image, ".data.rel.ro.gopclntab");
	if (!section) {
		section = go_image_section(image, ".data.rel.ro");
		r = section ? search_header(image, section, &inside) : -ENOENT;
		if (r < 0)
			return r;
	}
	module->address = section->sh_addr + inside;
	module->offset = section->sh_offset + inside;
	return read_header(image, (struct go_span){ module->offset, section->sh_size - inside },
			   module);
}

/* Is that a moduledata that tells of these very tables? */
static bool is_ours(const struct go_module *module, const uint64_t *words)
{
	uint64_t names = module->address + (module->names.offset - module->offset);
	uint64_t functions = module->address + (module->functions.offset - module->offset);

	return words[WORD_HEADER] == module->address && words[WORD_NAMES] == names &&
	       words[WORD_FUNCTIONS] == functions && words[WORD_LIST] == functions &&
	       words[WORD_LIST_LEN] == module->n_functions + 1 &&
	       words[WORD_CODE] <= words[WORD_FIRST] && words[WORD_FIRST] < words[WORD_END] &&
	       words[WORD_END] <= words[WORD_CODE_END];
}

static int add_candidate(struct search *search, uint64_t address)
{
	struct candidate *candidate = &search->candidates[search->n];
	uint64_t offset;

	if (search->n == CANDIDATES_MAX)
		return -E2BIG;
	/* something else that points to the tables, and ends too soon */
	if (go_image_offset(search->image, address, sizeof(candidate->words), PF_R, &offset) < 0)
		return 0;
	candidate->address = address;
	search->n++;
	return go_image_read(search->image, candidate->words, sizeof(candidate->words), offset);
}

static int search_section(struct search *search, const Elf64_Shdr *section)
{
	_cleanup_(go_window_close) struct go_window window = { 0 };
	const uint8_t *bytes;
	size_t len;
	int r;

	if (section->sh_size > DATA_MAX)
		return -E2BIG;
	if (section->sh_addr % WORD != 0)
		return -EBADMSG;
	r = go_window_open(search->image, section->sh_offset + section->sh_size, &window);
	for (uint64_t at = 0; r == 0 && at + WORD <= section->sh_size; at += WORD) {
		r = go_window_get(&window, section->sh_offset + at, WORD, &bytes, &len);
		if (r == 0 && get_word(bytes) == search->module->address)
			r = add_candidate(search, section->sh_addr + at);
	}
	return r;
}

static const struct candidate *choose(const struct search *search)
{
	for (size_t i = 0; i < search->n; i++)
		if (is_ours(search->module, search->candidates[i].words))
			return &search->candidates[i];
	return NULL;
}

/* Where addresses stand in the file as they are, which Go's own linker sees to, for PIE too. */
static int search_in_place(struct search *search)
{
	static const char *const names[] = { ".go.module", ".noptrdata", ".data" };
	int r = 0;

	for (size_t i = 0; r == 0 && !choose(search) && i < sizeof(names) / sizeof(names[0]); i++) {
		const Elf64_Shdr *section = go_image_section(search->image, names[i]);

		if (section)
			r = search_section(search, section);
	}
	return r;
}

static void relocate_candidates(struct search *search, const Elf64_Rela *relocation)
{
	for (size_t i = 0; i < search->n; i++) {
		uint64_t inside = relocation->r_offset - search->candidates[i].address;

		if (inside < sizeof(search->candidates[i].words) && inside % WORD == 0)
			search->candidates[i].words[inside / WORD] = (uint64_t)relocation->r_addend;
	}
}

/* `collect`: moduledata is what has a pointer to the header; else: fills in what was found. */
static int search_table(struct search *search, const Elf64_Shdr *section, bool collect)
{
	_cleanup_(go_window_close) struct go_window window = { 0 };
	uint32_t relative = search->image->machine == EM_X86_64 ? R_X86_64_RELATIVE
								: R_AARCH64_RELATIVE;
	Elf64_Rela relocation;
	const uint8_t *bytes;
	size_t len;
	int r;

	r = go_window_open(search->image, section->sh_offset + section->sh_size, &window);
	for (uint64_t at = 0; r == 0 && at + sizeof(relocation) <= section->sh_size;
	     at += sizeof(relocation)) {
		r = go_window_get(&window, section->sh_offset + at, sizeof(relocation), &bytes,
				  &len);
		if (r < 0)
			return r;
		memcpy(&relocation, bytes, sizeof(relocation));
		if (ELF64_R_TYPE(relocation.r_info) != relative)
			continue;
		if (!collect)
			relocate_candidates(search, &relocation);
		else if ((uint64_t)relocation.r_addend == search->module->address)
			r = add_candidate(search, relocation.r_offset);
	}
	return r;
}

/* Where the linker left addresses to the loader. */
static int search_relocations(struct search *search, bool collect)
{
	const struct go_image *image = search->image;
	uint64_t rest = RELOCATIONS_MAX;
	int r = 0;

	for (size_t i = 0; r == 0 && i < image->n_sections; i++) {
		const Elf64_Shdr *section = &image->sections[i];

		if (section->sh_type != SHT_RELA || !(section->sh_flags & SHF_ALLOC))
			continue;
		if (section->sh_size > rest)
			return -E2BIG;
		rest -= section->sh_size;
		r = search_table(search, section, collect);
	}
	return r;
}

/* First and last line of the list must be what moduledata says: then all between them are right. */
static int take_code(const struct go_image *image, const uint64_t *words, struct go_module *module)
{
	uint8_t first[WORD], last[WORD];
	size_t word = module->layout->word;
	uint64_t start, end;
	int r = go_image_read(image, first, word, module->functions.offset);

	if (r == 0)
		r = go_image_read(image, last, word,
				  module->functions.offset + 2 * word * module->n_functions);
	if (r < 0)
		return r;
	module->code = word == WORD ? 0 : words[WORD_CODE];
	start = go_module_address(module, first);
	end = go_module_address(module, last);
	/* addresses that are left to the loader; Go 1.17 with another linker alone does so */
	if (start == 0 && word == WORD)
		return -EOPNOTSUPP;
	return start == words[WORD_FIRST] && end == words[WORD_END] ? 0 : -EBADMSG;
}

int go_module_read(const struct go_image *image, struct go_module *ret_module)
{
	struct go_module module = { 0 };
	struct search search = { .image = image, .module = &module };
	const struct candidate *found;
	int r = find_header(image, &module);

	if (r == 0)
		r = search_in_place(&search);
	if (r == 0 && !choose(&search) && image->type == ET_DYN) {
		search.n = 0;
		r = search_relocations(&search, true);
		if (r == 0 && search.n > 0)
			r = search_relocations(&search, false);
	}
	if (r < 0)
		return r;
	found = choose(&search);
	if (!found)
		return -EBADMSG;
	r = take_code(image, found->words, &module);
	if (r < 0)
		return r;
	*ret_module = module;
	return 0;
}
