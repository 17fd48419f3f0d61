# SPDX-License-Identifier: Apache-2.0
#
# weft's build. `make help` lists what there is. Everything that is made lies under build/:
#   build/weft        the daemon, BPF programs inside
#   build/bpf, gen    BPF objects; generated sources and headers
#   build/asan        the same sources with the sanitizers, the unit tests and the corpus tests
#   build/fuzz        the same sources with clang's fuzzer, by `make fuzz`
#   build/config.mk   tools and flags found on this machine, by scripts/configure

MAKEFLAGS += --no-builtin-rules --no-builtin-variables
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:

BUILD  := build
PREFIX ?= /usr/local
DESTDIR ?=
V      ?= 0

# CROSS_COMPILE=aarch64-linux-gnu- takes that machine's tools, and the libraries that they find.
CROSS_COMPILE ?=
# $(call tool,VARIABLE,program): unless the caller names another.
tool = $(if $(filter default undefined,$(origin $(1))),$(eval $(1) := $(CROSS_COMPILE)$(2)))
$(call tool,CC,$(if $(CROSS_COMPILE),gcc,cc))
$(call tool,AR,ar)
$(call tool,LD,ld)
$(call tool,OBJCOPY,objcopy)
$(call tool,PKG_CONFIG,pkg-config)

Q   := $(if $(filter 1,$(V)),,@)
say  = $(if $(filter 1,$(V)),@:,@printf '  %-8s %s\n' '$(1)' '$(patsubst $(CURDIR)/%,%,$(2))')

.DEFAULT_GOAL := all

# --- tools and libraries ---------------------------------------------------------------------

# Goals that compile nothing do without configuration, so they work on a machine that lacks packages.
NO_CONFIG := help clean deps run test bench bench-compare bench-vm check check-all check-faults check-grpc check-threads \
	     check-wire check-vm check-reproducible format fuzz-all soak
ifneq ($(filter-out $(NO_CONFIG),$(or $(MAKECMDGOALS),all)),)
include $(BUILD)/config.mk
endif

# Names every missing package and stops, when something is missing.
$(BUILD)/config.mk: scripts/configure scripts/deps VERSION Makefile
	@mkdir -p $(BUILD)
	@CC='$(CC)' PKG_CONFIG='$(PKG_CONFIG)' scripts/configure >$@.tmp
	@mv $@.tmp $@

# --- sources ---------------------------------------------------------------------------------

# Sorted: a link order that differs from machine to machine is hard to find.
sources = $(sort $(shell find $(1) -name '$(2)' 2>/dev/null))

# Definitions of maps come first: libbpf 1.1's linker loses the place of a map that it first meets as extern.
BPF_SOURCES   := bpf/maps.bpf.c $(filter-out bpf/maps.bpf.c,$(call sources,bpf,*.bpf.c))
BPF_OBJECTS   := $(BPF_SOURCES:%.bpf.c=$(BUILD)/%.bpf.o)
USER_SOURCES  := $(filter-out user/main.c,$(call sources,user,*.c))
UNIT_SOURCES  := $(call sources,tests/unit,test_*.c)
FUZZ_SOURCES  := $(call sources,tests/fuzz,fuzz_*.c)
# What test programs share.
TEST_LIB      := $(filter-out tests/lib/fuzz_driver.c,$(call sources,tests/lib,*.c))

SKELETON      := $(BUILD)/gen/weft.skel.h
PROTO         := $(BUILD)/gen/otlp.pb-c
GEN_HEADERS   := $(SKELETON) $(PROTO).h

# Changes when a source comes or goes: an archive would keep the object of one that is gone.
SOURCE_LIST   := $(BUILD)/sources.list
$(SOURCE_LIST): FORCE
	@mkdir -p $(@D)
	@echo '$(USER_SOURCES) $(BPF_SOURCES)' | cmp -s - $@ || \
		echo '$(USER_SOURCES) $(BPF_SOURCES)' >$@
.PHONY: FORCE

# --- flags -----------------------------------------------------------------------------------

# gcc 11 takes fields for missing where a designated initializer holds a compound literal. What a
# later release of a library deprecates is still there.
WERROR    ?= -Werror
WARNINGS  := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings \
	     -Wno-missing-field-initializers $(WERROR) -Wno-error=deprecated-declarations
# The same bytes wherever it is built: no file's name in them begins with this directory.
PREFIX_MAP := -ffile-prefix-map=$(CURDIR)=.
# Generated headers are system headers to the compiler: their warnings are not ours. -MD, not -MMD,
# so that they are dependencies all the same.
COMMON    := -std=gnu11 -g -D_GNU_SOURCE -DWEFT_VERSION='"$(WEFT_VERSION)"' \
	     -DWEFT_LIBBPF='"$(LIBBPF_VERSION)"' \
	     -Iuser -I. -Ibpf -isystem $(BUILD)/gen $(PKG_CFLAGS) $(PREFIX_MAP) -MD -MP
# tests/build/hardening reads them back from what was built. ARCH_HARDENING: what this compiler has.
HARDENING := -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fPIE $(ARCH_HARDENING)
HARDENING_LINK := -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code
SANITIZE  := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

# -O3: 6 % fewer instructions for an exchange than -O2 (make bench-replay), for 2 % more code.
MAIN_FLAGS := $(COMMON) -O3 $(HARDENING) $(CFLAGS)
ASAN_FLAGS := $(COMMON) -O1 $(SANITIZE)
FUZZ_FLAGS := $(COMMON) -O1 $(SANITIZE) -fsanitize=fuzzer-no-link

# libbpf.a in one object, that offers the library's interface and not its inner names: some of
# them, such as hashmap_delete, meet names of ours. The wrapped ones are user/attach/kernel_btf.c's
# and load_apart.c's.
LIBBPF     := $(BUILD)/libbpf.o
LIBBPF_WRAPPED := btf__load_vmlinux_btf btf__free bpf_prog_load
LIBBPF_NAMES := 'bpf_*' 'btf_*' 'libbpf_*' 'ring_*' 'user_ring_*' 'perf_buffer_*'
# A library that is loaded when it is needed (export/curl_library.h) is not linked.
LDLIBS     := -Wl,--as-needed -lelf -lz $(PKG_LIBS) -ldl

# --- the daemon ------------------------------------------------------------------------------

.PHONY: all
all: $(BUILD)/weft

# $(call variant,directory,compiler,flags): rules for user/, tests/ and the generated code, built
# with those flags into that directory; all but main.o goes to its libweft.a.
define variant
$(1)/user/%.o: user/%.c $(BUILD)/config.mk | $(GEN_HEADERS)
	$$(call say,CC,$$@)
	@mkdir -p $$(@D)
	$$(Q)$(2) $(3) $(WARNINGS) -c -o $$@ $$<

$(1)/tests/%.o: tests/%.c $(BUILD)/config.mk | $(GEN_HEADERS)
	$$(call say,CC,$$@)
	@mkdir -p $$(@D)
	$$(Q)$(2) $(3) $(WARNINGS) -Itests -Ibpf -c -o $$@ $$<

$(1)/gen/%.o: $(BUILD)/gen/%.c $(BUILD)/config.mk
	$$(call say,CC,$$@)
	@mkdir -p $$(@D)
	$$(Q)$(2) $(3) -w -c -o $$@ $$<

$(1)/libweft.a: $(USER_SOURCES:%.c=$(1)/%.o) $(1)/gen/otlp.pb-c.o $(SOURCE_LIST)
	$$(call say,AR,$$@)
	@rm -f $$@
	@# q: two rooms may have a file of one name; r would keep the last of them
	$$(Q)$(AR) qcsD $$@ $$(filter %.o,$$^)

-include $$(call sources,$(1)/user $(1)/tests $(1)/gen,*.d)
endef

$(eval $(call variant,$(BUILD),$(CC),$(MAIN_FLAGS)))

$(LIBBPF): $(LIBBPF_A) $(BUILD)/config.mk
	$(call say,LD,$@)
	$(Q)$(LD) -r $(LIBBPF_WRAPPED:%=--wrap=%) --whole-archive $(LIBBPF_A) -o $@.tmp
	$(Q)$(OBJCOPY) -w $(addprefix -G ,$(LIBBPF_NAMES)) $@.tmp $@
	@rm -f $@.tmp

$(BUILD)/weft: $(BUILD)/user/main.o $(LIBBPF) $(BUILD)/libweft.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(MAIN_FLAGS) $(HARDENING_LINK) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# --- BPF -------------------------------------------------------------------------------------

# -mcpu=v3 (32-bit jumps, atomics that return a value): in every kernel since 5.12.
BPF_FLAGS = -g -O2 -target bpf -mcpu=v3 -std=gnu11 -D__TARGET_ARCH_$(BPF_ARCH) \
	     -Ivmlinux/$(ARCH) -I. -Ibpf $(BPF_CFLAGS) $(PREFIX_MAP) -fno-stack-protector -Wall $(WERROR) \
	     -MD -MP

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c $(BUILD)/config.mk
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_FLAGS) -c -o $@ $<

# The same for the other architecture, compiled and thrown away: tests build both.
OTHER_ARCH     := $(if $(filter x86_64,$(ARCH)),aarch64,x86_64)
OTHER_BPF_ARCH := $(if $(filter x86,$(BPF_ARCH)),arm64,x86)
OTHER_OBJECTS  := $(BPF_SOURCES:bpf/%.bpf.c=$(BUILD)/bpf-other/%.bpf.o)

$(BUILD)/bpf-other/%.bpf.o: BPF_ARCH := $(OTHER_BPF_ARCH)
$(BUILD)/bpf-other/%.bpf.o: ARCH := $(OTHER_ARCH)
$(BUILD)/bpf-other/%.bpf.o: bpf/%.bpf.c $(BUILD)/config.mk
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_FLAGS) -c -o $@ $<

# The linker's output lies beside its inputs' directories, not among them.
$(BUILD)/gen/weft.bpf.o: $(BPF_OBJECTS) $(SOURCE_LIST)
	$(call say,BPFLINK,$@)
	@mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen object $@ $(BPF_OBJECTS)

$(BUILD)/gen/%.skel.h: $(BUILD)/gen/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf >$@

-include $(BPF_OBJECTS:.o=.d) $(OTHER_OBJECTS:.o=.d) $(BUILD)/tests/bpf/parse.bpf.d

# --- generated code --------------------------------------------------------------------------

$(PROTO).c $(PROTO).h &: user/export/otlp.proto $(BUILD)/config.mk
	$(call say,PROTOC,$(PROTO).c)
	@mkdir -p $(@D)
	$(Q)$(PROTOC_C) -Iuser/export --c_out=$(BUILD)/gen $<

# --- tests -----------------------------------------------------------------------------------

ASAN := $(BUILD)/asan
$(eval $(call variant,$(ASAN),$(CC),$(ASAN_FLAGS)))

UNIT_PROGRAMS := $(UNIT_SOURCES:%.c=$(ASAN)/%)
FUZZ_PROGRAMS := $(FUZZ_SOURCES:%.c=$(ASAN)/%)
TEST_OBJECTS  := $(TEST_LIB:%.c=$(ASAN)/%.o)

# What asks for memory goes by way of tests/lib/failing.c.
ALLOCATORS := malloc calloc realloc reallocarray strdup strndup asprintf vasprintf
FAILING    := $(ALLOCATORS:%=-Wl,--wrap=%)

$(UNIT_PROGRAMS): %: %.o $(TEST_OBJECTS) $(LIBBPF) $(ASAN)/libweft.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ASAN_FLAGS) $(FAILING) -o $@ $^ $(LDLIBS) -lcmocka

$(FUZZ_PROGRAMS): %: %.o $(ASAN)/tests/lib/fuzz_driver.o $(LIBBPF) $(ASAN)/libweft.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ASAN_FLAGS) -o $@ $^ $(LDLIBS)

# What the verifier says of each program, and what the classifiers find in the kernel: tests/bpf.
BPF_TESTS := $(BUILD)/tests/bpf/verify $(BUILD)/tests/bpf/parse

# Everything that the suites run. The daemon with the sanitizers is for the end-to-end tests.
.PHONY: test-programs
test-programs: $(BUILD)/weft $(BUILD)/weft.spdx.json $(BUILD)/vm/weft-hooks-off $(ASAN)/weft $(UNIT_PROGRAMS) \
	$(FUZZ_PROGRAMS) $(OTHER_OBJECTS) $(BPF_TESTS) \
	$(BUILD)/tests/bpf/parse.bpf.o

# $(call sanitized,directory,flags): the daemon of such a variant.
define sanitized
$(1)/weft: $(1)/user/main.o $(LIBBPF) $(1)/libweft.a
	$$(call say,LINK,$$@)
	$$(Q)$(CC) $(2) -o $$@ $$^ $$(LDLIBS)
endef

$(eval $(call sanitized,$(ASAN),$(ASAN_FLAGS)))

# A fuzzing session by hand: make fuzz TARGET=fuzz_http1 SECONDS=60
FUZZ    := $(BUILD)/fuzz
SECONDS ?= 60
$(eval $(call variant,$(FUZZ),$(CLANG),$(FUZZ_FLAGS)))

$(FUZZ)/tests/fuzz/%: $(FUZZ)/tests/fuzz/%.o $(LIBBPF) $(FUZZ)/libweft.a
	$(call say,LINK,$@)
	$(Q)$(CLANG) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

.PHONY: fuzz
ifneq ($(TARGET),)
FUZZ_NAME := $(TARGET:fuzz_%=%)
fuzz: $(FUZZ)/tests/fuzz/$(TARGET)
	@mkdir -p $(FUZZ)/found/$(FUZZ_NAME)
	$< -max_total_time=$(SECONDS) -artifact_prefix=$(FUZZ)/found/ $(FUZZ)/found/$(FUZZ_NAME) \
		$(wildcard tests/wire/$(FUZZ_NAME) tests/fuzz/corpus/$(FUZZ_NAME))
else
fuzz:
	@echo "make fuzz TARGET=<name> [SECONDS=60], one of: $(notdir $(FUZZ_SOURCES:.c=))" >&2; exit 2
endif

# Every target for so long, JOBS at a time.
FUZZERS := $(FUZZ_SOURCES:%.c=$(FUZZ)/%)
.PHONY: fuzz-all fuzzers
fuzzers: $(FUZZERS)
fuzz-all:
	@scripts/deps more
	@$(MAKE) --no-print-directory $(parallel) fuzzers
	@BUILD='$(BUILD)' tests/fuzz/run $(SECONDS)

# --- the commands ----------------------------------------------------------------------------

# Jobs for the goals that stand for whole commands, unless make was told how many.
parallel = $$(case "$$MAKEFLAGS" in *jobserver*) ;; *) echo "-j$$(nproc 2>/dev/null || echo 1)" ;; esac)

.PHONY: deps run test check check-wire bench bench-compare format
deps:
	@scripts/deps build

run:
	@scripts/deps build
	@$(MAKE) --no-print-directory $(parallel) all
	@scripts/as-root $(BUILD)/weft run $(ARGS)

test:
	@scripts/deps test
	@MAKE='$(MAKE)' MAKE_JOBS="$(parallel)" BUILD='$(BUILD)' tests/lib/run $(SUITES)

check:
	@BUILD='$(BUILD)' tests/lib/run checks

# Every byte that clients send, 100,000 requests long; a short form is a part of the tests.
check-wire:
	@scripts/deps test
	@$(MAKE) --no-print-directory $(parallel) all
	@WEFT_WIRE=long scripts/as-root tests/e2e/run 'wire_*'

# On other kernels, in virtual machines; says what it lacks. KERNELS: patterns of tests/vm/kernels.py's names;
# KILLS=200: weft is killed that often in each of them, under load.
$(BUILD)/vm/weft-hooks-off: $(BUILD)/user/main.o $(BUILD)/tests/vm/hooks_off.o $(LIBBPF) $(BUILD)/libweft.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(MAIN_FLAGS) -pie -Wl,--wrap=loader_new,--wrap=selftest_run $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BPF_TESTS): %: %.o $(LIBBPF) $(BUILD)/libweft.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(MAIN_FLAGS) -pie $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/tests/bpf/%.bpf.o: tests/bpf/%.bpf.c $(BUILD)/config.mk
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_FLAGS) -c -o $@ $<

.PHONY: check-vm
check-vm:
	@scripts/deps build
	@scripts/deps vm || :
	@$(MAKE) --no-print-directory $(parallel) $(BUILD)/vm/weft-hooks-off $(BUILD)/tests/bpf/verify
	@BUILD='$(BUILD)' tests/vm/run $(if $(KILLS),--kills $(KILLS)) $(KERNELS)

# What weft costs in an emulated machine with Linux 6.1, beside what another tracer did there.
.PHONY: bench-vm
bench-vm:
	@scripts/deps build
	@scripts/deps test
	@scripts/deps vm || :
	@$(MAKE) --no-print-directory $(parallel) $(BUILD)/vm/weft-hooks-off
	@BUILD='$(BUILD)' tests/vm/run --cost 6.1

# Static analysis: what is found is fixed, or suppressed where it is with its reason.
.PHONY: analyze
analyze: export FLAGS = $(filter-out -MD -MP,$(COMMON))
analyze: | $(GEN_HEADERS)
	@scripts/deps more
	@CC='$(CC)' BUILD='$(BUILD)' tests/analyze/run $(ARGS)

# Two builds in two directories, compared byte by byte.
.PHONY: check-reproducible
check-reproducible:
	@scripts/deps build
	@BUILD='$(BUILD)' MAKE='$(MAKE)' tests/reproducible/run

# The threads, under ThreadSanitizer.
TSAN := $(BUILD)/tsan
TSAN_FLAGS := $(COMMON) -O1 -fsanitize=thread -fno-omit-frame-pointer
$(eval $(call variant,$(TSAN),$(CC),$(TSAN_FLAGS)))

$(eval $(call sanitized,$(TSAN),$(TSAN_FLAGS)))

$(TSAN)/tests/unit/attach/test_load_apart: %: %.o $(LIBBPF) $(TSAN)/libweft.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(TSAN_FLAGS) -o $@ $^ $(LDLIBS) -lcmocka

.PHONY: check-threads threads
threads: $(TSAN)/weft $(TSAN)/tests/unit/attach/test_load_apart
check-threads:
	@scripts/deps build
	@$(MAKE) --no-print-directory $(parallel) threads
	@BUILD='$(BUILD)' scripts/as-root tests/threads/run

# What goes wrong on a host, one thing after the other; most of it is a part of the tests.
.PHONY: check-faults
check-faults:
	@scripts/deps test
	@$(MAKE) --no-print-directory $(parallel) all
	@scripts/as-root tests/e2e/run --long 'faults*'

# gRPC between two programs of each language that has a library for it; the builds take minutes.
.PHONY: check-grpc
check-grpc:
	@scripts/deps grpc || :
	@$(MAKE) --no-print-directory $(parallel) all
	@scripts/as-root tests/e2e/run --long 'grpc_*' 'connect_*' 'tls_rust_*'

# Mixed load for so long, while memory, descriptors and queues are looked at.
MINUTES ?= 30
.PHONY: soak
soak:
	@scripts/deps test
	@$(MAKE) --no-print-directory $(parallel) all
	@scripts/as-root tests/soak/run --minutes $(MINUTES)

# All that takes longer than `make test`, a line each; GOALS: some of them. tests/lib/check-all lists them.
.PHONY: check-all
check-all:
	@BUILD='$(BUILD)' MAKE='$(MAKE)' tests/lib/check-all $(GOALS)

# Lays out the C files in place. The release is the one that tests/check/format asks for.
CLANG_FORMAT ?= $(or $(shell command -v clang-format-14),clang-format)
format:
	$(Q)$(CLANG_FORMAT) -i $(call sources,bpf user tests,*.[ch])

bench:
	@scripts/deps test
	@$(MAKE) --no-print-directory $(parallel) all
	@scripts/as-root tests/bench/run $(ARGS)

# The same, held against tests/bench/baseline.json.
bench-compare: bench
	@tests/bench/compare

# The pipeline's rooms alone, fed with made-up records, under callgrind if it is there.
REPLAY := $(BUILD)/tests/bench/replay
$(REPLAY): $(REPLAY).o $(LIBBPF) $(BUILD)/libweft.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(MAIN_FLAGS) -pie $(LDFLAGS) -o $@ $^ $(LDLIBS)

.PHONY: bench-replay
bench-replay: $(REPLAY)
	@BUILD='$(BUILD)' tests/bench/instructions $(ARGS)

# $(call put,mode,file,directory): installed if the file is there.
put = $(if $(wildcard $(2)),install -D -m $(1) -t '$(DESTDIR)$(3)' $(2),:)
UNIT_DIR ?= $(PREFIX)/lib/systemd/system

# The manual page comes from the same tables as --help.
$(BUILD)/weft.8: $(BUILD)/weft
	$(call say,MAN,$@)
	$(Q)$< --man >$@

# What the binary is made of, in SPDX 2.3; SOURCE_DATE_EPOCH= makes its time the same, too.
$(BUILD)/weft.spdx.json: $(BUILD)/weft scripts/sbom
	$(call say,SBOM,$@)
	$(Q)PKG_CONFIG='$(PKG_CONFIG)' CC='$(CC)' scripts/sbom $< $(LIBBPF_A) >$@

.PHONY: sbom
sbom: $(BUILD)/weft.spdx.json

.PHONY: install
install: all $(BUILD)/weft.8
	$(Q)install -D -m 0755 -t '$(DESTDIR)$(PREFIX)/sbin' $(BUILD)/weft
	$(Q)install -d '$(DESTDIR)$(UNIT_DIR)'
	$(Q)sed 's|@sbindir@|$(PREFIX)/sbin|' packaging/systemd/weft.service \
		>'$(DESTDIR)$(UNIT_DIR)/weft.service'
	$(Q)install -D -m 0644 -t '$(DESTDIR)$(PREFIX)/share/man/man8' $(BUILD)/weft.8
	$(Q)$(call put,0644,packaging/weft.yaml,$(PREFIX)/share/doc/weft)
	$(Q)$(call put,0644,LICENSE,$(PREFIX)/share/doc/weft)
	$(Q)$(call put,0644,LICENSE.GPL-2.0,$(PREFIX)/share/doc/weft)

.PHONY: clean
clean:
	rm -rf $(BUILD)

.PHONY: help
help:
	@echo 'make            build $(BUILD)/weft; installs nothing, names what is missing'
	@echo 'make run        install what is missing, build, trace this host (root); ARGS="--pid 1"'
	@echo 'make test       install what is missing, build, run all tests; SUITES="checks unit"'
	@echo 'make check      the checks of form alone: nothing is compiled'
	@echo 'make check-wire what weft puts on the wire, with 100,000 requests (root)'
	@echo 'make check-threads  what runs in threads, under ThreadSanitizer'
	@echo 'make check-vm   on other kernels, in virtual machines; KERNELS="6.1 arm64-*" KILLS=200'
	@echo 'make analyze    clang-tidy, gcc -fanalyzer and cppcheck; ARGS="cppcheck"'
	@echo 'make sbom       what the binary is made of: $(BUILD)/weft.spdx.json'
	@echo 'make check-reproducible  two builds in two directories give the same bytes'
	@echo 'make format     lay out the C files with clang-format'
	@echo 'make deps       install what the build needs'
	@echo 'make check-faults  what goes wrong on a host: full disks and maps, dead processes ... (root)'
	@echo 'make check-grpc gRPC of every language that has a library for it, and rustls (root)'
	@echo 'make soak       MINUTES=30: does anything grow, or get lost, under mixed load (root)'
	@echo 'make check-all  all that takes longer than make test, a line each (root); GOALS="soak"'
	@echo 'make bench      measure cost and speed on this host (root); ARGS=--quick: README rows only'
	@echo 'make bench-vm   the same in an emulated machine, where another tracer was measured'
	@echo 'make bench-compare  the same; fails if it is worse than tests/bench/baseline.json'
	@echo 'make bench-replay  instructions per exchange; ARGS="--protocol grpc --codec protobuf"'
	@echo 'make fuzz       TARGET=fuzz_http1 SECONDS=60: one fuzzing session'
	@echo 'make fuzz-all   SECONDS=60: every target for so long; JOBS=2 at a time'
	@echo 'make install    DESTDIR= PREFIX=/usr/local'
	@echo 'make clean      remove $(BUILD)/'
	@echo 'V=1 shows commands; CC=, CFLAGS=, LDFLAGS=, CLANG=, BPFTOOL= are taken as given.'
	@echo 'BUILD=build/arm64 CROSS_COMPILE=aarch64-linux-gnu- builds for another machine.'
	@echo 'WERROR= lets warnings pass: those of a compiler that is newer than this version.'
