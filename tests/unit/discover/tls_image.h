/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stripped file with just what the functions of a TLS library leave in it, for tests to change:
 * code that passes strings and numbers and calls, and the table for unwinding.
 */
#ifndef WEFT_TESTS_TLS_IMAGE_H
#define WEFT_TESTS_TLS_IMAGE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TLS_BASE 0x400000 /* address of the file's first byte */

/* Where things are in the file. */
#define TLS_CODE_AT	 0x200
#define TLS_CODE_LEN	 0x60 /* of a function */
#define TLS_FUNCTIONS	 12
#define TLS_CODE_END	 (TLS_CODE_AT + TLS_FUNCTIONS * TLS_CODE_LEN)
#define TLS_TEXTS_AT	 0x700
#define TLS_TEXT_LEN	 0x28 /* of each */
#define TLS_TABLE_AT	 0x900
#define TLS_FRAMES_AT	 0x980
#define TLS_FRAME_LEN	 24
#define TLS_CONSTANT_END 0xb00
#define TLS_NAMES_AT	 0xb00
#define TLS_SECTIONS_AT	 0xb20
#define TLS_IMAGE_SIZE	 (TLS_SECTIONS_AT + 4 * sizeof(Elf64_Shdr))

enum tls_text {
	TLS_FILE_C,
	TLS_FILE_CC,
	TLS_READ,
	TLS_READ_INTERNAL,
	TLS_WRITE,
	TLS_WRITE_INTERNAL,
	TLS_OTHER,
	TLS_TEXTS,
};

enum tls_does {
	TLS_NOTHING,
	TLS_TEXT,   /* argument, text */
	TLS_NUMBER, /* argument, number */
	TLS_CALL,   /* function, from 0 */
};

struct tls_step {
	enum tls_does does;
	unsigned int which, what;
};

#define TLS_STEPS 10

struct tls_code {
	bool part;   /* jumped into, and not called */
	uint8_t len; /* 0: all of its place */
	struct tls_step steps[TLS_STEPS];
};

struct tls_kind {
	uint16_t machine;
	bool absolute; /* not position-independent; of x86-64 alone */
};

struct tls_image {
	uint8_t bytes[TLS_IMAGE_SIZE];
};

#define TLS_TEXT_IS(argument, text)                                                                \
	{                                                                                          \
		TLS_TEXT, argument, text                                                           \
	}
#define TLS_NUMBER_IS(argument, number)                                                            \
	{                                                                                          \
		TLS_NUMBER, argument, number                                                       \
	}
#define TLS_CALLS(function)                                                                        \
	{                                                                                          \
		TLS_CALL, function, 0                                                              \
	}

/* OpenSSL 3: what the function is, and what it calls. */
#define TLS_3(text, ...)                                                                           \
	{                                                                                          \
		.steps = { TLS_TEXT_IS(2, text), TLS_TEXT_IS(0, TLS_FILE_C), __VA_ARGS__ }         \
	}
/* OpenSSL 1: the number of the function. */
#define TLS_1(number, ...)                                                                         \
	{                                                                                          \
		.steps = { TLS_NUMBER_IS(1, number), TLS_TEXT_IS(3, TLS_FILE_C), __VA_ARGS__ }     \
	}
/* BoringSSL: a reason. */
#define TLS_B(reason) TLS_NUMBER_IS(2, reason), TLS_TEXT_IS(3, TLS_FILE_CC)

#define TLS_AT(function) (TLS_CODE_AT + (function)*TLS_CODE_LEN)

static inline void tls_put(struct tls_image *file, size_t at, uint64_t value, size_t len)
{
	memcpy(file->bytes + at, &value, len);
}

static inline void tls_put_headers(struct tls_image *file, const struct tls_kind *kind)
{
	const Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = kind->absolute ? ET_EXEC : ET_DYN,
		.e_machine = kind->machine,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_shoff = TLS_SECTIONS_AT,
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = 4,
		.e_shstrndx = 3,
	};
	const Elf64_Phdr segments[] = {
		{ .p_type = PT_LOAD,
		  .p_flags = PF_R | PF_X,
		  .p_vaddr = TLS_BASE,
		  .p_filesz = TLS_IMAGE_SIZE,
		  .p_memsz = TLS_IMAGE_SIZE },
		{ .p_type = PT_GNU_EH_FRAME,
		  .p_flags = PF_R,
		  .p_offset = TLS_TABLE_AT,
		  .p_vaddr = TLS_BASE + TLS_TABLE_AT,
		  .p_filesz = TLS_FRAMES_AT - TLS_TABLE_AT },
	};
	const Elf64_Shdr sections[] = {
		{ 0 },
		{ .sh_type = SHT_PROGBITS,
		  .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
		  .sh_addr = TLS_BASE + TLS_CODE_AT,
		  .sh_offset = TLS_CODE_AT,
		  .sh_size = TLS_CODE_END - TLS_CODE_AT },
		{ .sh_type = SHT_PROGBITS,
		  .sh_flags = SHF_ALLOC,
		  .sh_addr = TLS_BASE + TLS_TEXTS_AT,
		  .sh_offset = TLS_TEXTS_AT,
		  .sh_size = TLS_CONSTANT_END - TLS_TEXTS_AT },
		{ .sh_type = SHT_STRTAB, .sh_offset = TLS_NAMES_AT, .sh_size = 1 },
	};

	memcpy(file->bytes, &header, sizeof(header));
	memcpy(file->bytes + sizeof(header), segments, sizeof(segments));
	memcpy(file->bytes + TLS_SECTIONS_AT, sections, sizeof(sections));
}

static inline void tls_put_texts(struct tls_image *file)
{
	static const char *const texts[TLS_TEXTS] = {
		[TLS_FILE_C] = "../ssl/ssl_lib.c",
		[TLS_FILE_CC] = "third_party/boringssl/ssl/ssl_lib.cc",
		[TLS_READ] = "SSL_read",
		[TLS_READ_INTERNAL] = "ssl_read_internal",
		[TLS_WRITE] = "SSL_write",
		[TLS_WRITE_INTERNAL] = "ssl_write_internal",
		[TLS_OTHER] = "SSL_shutdown",
	};

	for (size_t i = 0; i < TLS_TEXTS; i++)
		memcpy(file->bytes + TLS_TEXTS_AT + i * TLS_TEXT_LEN, texts[i],
		       strlen(texts[i]) + 1);
}

static inline size_t tls_put_x86(struct tls_image *file, const struct tls_kind *kind, size_t at,
				 const struct tls_step *step)
{
	static const uint8_t registers[] = { 7, 6, 2, 1 }; /* edi, esi, edx, ecx */
	uint64_t text = TLS_TEXTS_AT + step->what * TLS_TEXT_LEN;

	if (step->does == TLS_CALL) {
		tls_put(file, at, 0xe8, 1);
		tls_put(file, at + 1, TLS_AT(step->which) - (at + 5), 4);
		return 5;
	}
	if (step->does == TLS_NUMBER || kind->absolute) {
		tls_put(file, at, 0xb8 | registers[step->which], 1);
		tls_put(file, at + 1, step->does == TLS_NUMBER ? step->what : TLS_BASE + text, 4);
		return 5;
	}
	tls_put(file, at, 0x8d48, 2); /* lea */
	tls_put(file, at + 2, registers[step->which] << 3 | 5, 1);
	tls_put(file, at + 3, text - (at + 7), 4);
	return 7;
}

static inline size_t tls_put_arm(struct tls_image *file, size_t at, const struct tls_step *step)
{
	uint32_t reg = step->which;
	uint64_t text = TLS_TEXTS_AT + step->what * TLS_TEXT_LEN;

	if (step->does == TLS_CALL) {
		tls_put(file, at, 0x94000000 | ((TLS_AT(step->which) - at) >> 2 & 0x3ffffff), 4);
		return 4;
	}
	if (step->does == TLS_NUMBER) {
		tls_put(file, at, 0x52800000 | step->what << 5 | reg, 4);
		return 4;
	}
	tls_put(file, at, 0x90000000 | reg, 4); /* adrp: the file is within a page */
	tls_put(file, at + 4, 0x91000000 | text << 10 | reg << 5 | reg, 4);
	return 8;
}

static inline void tls_put_code(struct tls_image *file, const struct tls_kind *kind,
				size_t function, const struct tls_code *code)
{
	size_t at = TLS_AT(function);

	for (size_t i = 0; i < TLS_STEPS && code->steps[i].does; i++)
		at += kind->machine == EM_X86_64 ? tls_put_x86(file, kind, at, &code->steps[i])
						 : tls_put_arm(file, at, &code->steps[i]);
	if (kind->machine == EM_X86_64)
		tls_put(file, at, 0xc3, 1);
	else
		tls_put(file, at, 0xd65f03c0, 4);
}

/* What is said of a function's stack: what all have in common comes first. */
static inline void tls_put_frame(struct tls_image *file, size_t function,
				 const struct tls_code *code)
{
	size_t at = TLS_FRAMES_AT + (function + 1) * TLS_FRAME_LEN;
	size_t line = TLS_TABLE_AT + 12 + 8 * function;
	static const uint8_t whole[] = { 0x41, 0x0e, 0x10 }, part[] = { 0x0e, 0x10, 0x41 };

	tls_put(file, line, TLS_AT(function) - TLS_TABLE_AT, 4);
	tls_put(file, line + 4, at - TLS_TABLE_AT, 4);
	tls_put(file, at, TLS_FRAME_LEN - 4, 4);
	tls_put(file, at + 4, at + 4 - TLS_FRAMES_AT, 4);
	tls_put(file, at + 8, TLS_AT(function) - (at + 8), 4);
	tls_put(file, at + 12, code->len ? code->len : TLS_CODE_LEN, 4);
	memcpy(file->bytes + at + 17, code->part ? part : whole, sizeof(part));
}

static inline void tls_image_init(struct tls_image *file, const struct tls_kind *kind,
				  const struct tls_code *functions, size_t n)
{
	static const uint8_t common[TLS_FRAME_LEN] = {
		TLS_FRAME_LEN - 4, 0, 0, 0, 0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x1b,
	};

	memset(file, 0, sizeof(*file));
	tls_put_headers(file, kind);
	tls_put_texts(file);
	memcpy(file->bytes + TLS_FRAMES_AT, common, sizeof(common));
	tls_put(file, TLS_TABLE_AT, 0x3b031b01, 4);
	tls_put(file, TLS_TABLE_AT + 8, n, 4);
	for (size_t i = 0; i < n; i++) {
		tls_put_code(file, kind, i, &functions[i]);
		tls_put_frame(file, i, &functions[i]);
	}
}

/* The libraries as they are: which function is which stands beside. */

static const struct tls_code tls_openssl_3[] = {
	TLS_3(TLS_OTHER),
	TLS_3(TLS_READ_INTERNAL), /* 1 */
	TLS_3(TLS_READ, TLS_CALLS(1)),
	TLS_3(TLS_WRITE_INTERNAL), /* 3 */
	TLS_3(TLS_WRITE, TLS_CALLS(3)),
	{ .steps = { TLS_CALLS(1) } }, /* SSL_read_ex */
};

static const struct tls_code tls_openssl_1[] = {
	TLS_1(280),
	TLS_1(523), /* 1: inner */
	TLS_1(223, TLS_CALLS(1)),
	TLS_1(524), /* 3: inner */
	TLS_1(208, TLS_CALLS(3)),
	{ .steps = { TLS_CALLS(1) } },
};

static const struct tls_code tls_openssl_1_0[] = {
	TLS_1(280), TLS_1(223), TLS_1(208), /* 1: SSL_read, 2: SSL_write */
};

#define TLS_PEEK(...)                                                                              \
	{                                                                                          \
		.len = 0x40, .steps = { TLS_CALLS(1), TLS_B(66), __VA_ARGS__ }                     \
	}
#define TLS_IMPL                                                                                   \
	{                                                                                          \
		.steps = { TLS_B(226), TLS_B(215) }                                                \
	}
#define TLS_BORING_WRITE                                                                           \
	{                                                                                          \
		.steps = { TLS_B(66), TLS_B(226), TLS_B(215) }                                     \
	}

/* SSL_peek is within SSL_read. */
static const struct tls_code tls_boring[] = {
	{ .steps = { TLS_B(66) } },
	TLS_IMPL,
	TLS_PEEK(),
	TLS_BORING_WRITE,				       /* 3: SSL_write */
	{ .len = 0x60, .steps = { TLS_CALLS(1), TLS_B(66) } }, /* 4: SSL_read */
};

/* SSL_read calls SSL_peek, as does the program, which lies elsewhere. */
static const struct tls_code tls_boring_calls[] = {
	{ .steps = { TLS_B(66) } },
	TLS_IMPL,
	TLS_PEEK(),
	{ .steps = { TLS_CALLS(2) } }, /* 3 */
	TLS_BORING_WRITE,
	{ .steps = { TLS_CALLS(2) } },
};

#endif
