/*
 * Fuzzes what reads programs: ELF files, scripts, and the recorded parameters of an exec.
 *
 * Built with -DLIBFUZZER and clang -fsanitize=fuzzer it is a libFuzzer target. Built alone it mutates good inputs in a
 * reproducible way for SECONDS_TO_FUZZ (default 2) from FUZZ_SEED and reports in TAP; an abort ends it with a non-zero
 * status. `fuzz_elf FILE...` runs single inputs again.
 *
 * An input: one byte says what it is (enum kind), the rest is the file. A loaded program must leave an address space
 * whose entries agree with its mappings.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <time.h>

#include "syscall-emu/loader_int.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/vm_double.h"
#include "vmm/cleanup.h"

enum kind { PROGRAM, INTERPRETER, SCRIPT, PARAMS, KINDS };

#define INPUT_MAX (1u << 16)
#define FATAL(...) (fprintf(stderr, __VA_ARGS__), abort())


static const uint8_t *input;
static size_t input_len;
static enum kind input_kind;

static int memfd_of(const void *bytes, size_t len)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	if (fd < 0 || write(fd, bytes, len) != (ssize_t)len)
		FATAL("cannot make an input file\n");
	return fd;
}

#define HEADERS 3

struct program {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[HEADERS];
	char interp[16];
	char rest[0x2000];
};

static void good_program(struct program *p)
{
	*p = (struct program){
		.eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_DYN,
			.e_machine = EM_X86_64, .e_entry = 0x200, .e_phoff = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = HEADERS },
		.ph = {
			{ .p_type = PT_INTERP, .p_offset = offsetof(struct program, interp), .p_filesz = 7,
			  .p_memsz = 7 },
			{ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = 0x800, .p_memsz = 0x800,
			  .p_align = 4096 },
			{ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = 0x800, .p_vaddr = 0x1800,
			  .p_filesz = 0x100,
			  .p_memsz = 0x9000, .p_align = 4096 },
		},
		.interp = "/interp",
	};
}

/* The input is the program, the script, or what a good program names as its interpreter. */
static int image_file(struct session *s, struct exec_params *x, unsigned index, const char *path)
{
	struct program good;

	(void)s, (void)x;
	if (strlen(path) > 4096)
		FATAL("a path of %zu bytes\n", strlen(path));
	good_program(&good);
	if ((index == 0) == (input_kind == INTERPRETER))
		return memfd_of(&good, sizeof(good));
	return memfd_of(input, input_len);
}

static const struct session_ops ops = { .name = "fuzz", .image_file = image_file };
static struct session session = { &ops };

static void check_mm(const struct mm *mm)
{
	uint64_t end = 0;

	for (const struct vma *v = mm_next(mm, NULL); v; v = mm_next(mm, v)) {
		if (v->start < end || v->start >= v->end || v->end > GUEST_TOP)
			FATAL("mapping %#lx-%#lx after %#lx\n", v->start, v->end, end);
		for (uint64_t a = v->start; a < v->end && a - v->start < 64 << 20; a += PAGE_SIZE_4K) {
			int have = __wrap_vm_query(NULL, a);

			if (have >= 0 && have != (v->prot | PROT_READ))
				FATAL("entry at %#lx is %#x, the mapping %#x\n", a, have, v->prot);
		}
		end = v->end;
	}
}

static void run_program(void)
{
	struct process proc = { .sess = &session };
	struct guest_regs regs;
	struct task task = { .proc = &proc, .regs = &regs };
	char *argv[] = { (char *)"prog", (char *)"arg", NULL }, *envp[] = { NULL }, why[80];
	struct exec_params x = { .path = (char *)"/prog", .argv = argv, .envp = envp, .stack_limit = 8 << 20 };

	if (mm_create(&proc, &proc.mm) < 0)
		FATAL("no address space\n");
	loader_exec(&task, &x, why, sizeof(why));
	check_mm(proc.mm);
	mm_destroy(proc.mm);
	double_reset();
	for (unsigned i = 0; i < EXEC_FILES_MAX; i++)
		free(x.file[i].path);
}

static void run_params(void)
{
	struct exec_params x;
	cleanup_free void *blob = NULL;
	uint32_t len;

	if (exec_params_decode(input, (uint32_t)input_len, &x) < 0)
		return;
	if (exec_params_encode(&x, &blob, &len) < 0 || len != input_len)
		FATAL("parameters of %zu bytes encode to %u\n", input_len, len);
	exec_params_free(&x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size || size > INPUT_MAX)
		return 0;
	input_kind = data[0] % KINDS;
	input = data + 1;
	input_len = size - 1;
	if (input_kind == PARAMS)
		run_params();
	else
		run_program();
	return 0;
}

#ifndef LIBFUZZER
static uint64_t rnd(uint64_t n)
{
	return fuzz_next() % n;
}

static size_t good_input(uint8_t *buf, enum kind kind)
{
	static char *argv[] = { (char *)"a", (char *)"bc", NULL };
	struct exec_params x = { .path = (char *)"/p", .argv = argv, .envp = argv, .pid = 1, .nfiles = 1 };
	cleanup_free void *blob = NULL;
	struct program p;
	uint32_t len;

	buf[0] = (uint8_t)kind;
	if (kind == SCRIPT) {
		static const char text[] = "#! /bin/interpreter  -option and more\nbody of the script\n";

		memcpy(buf + 1, text, sizeof(text));
		return sizeof(text) + 1;
	}
	if (kind == PARAMS) {
		if (exec_params_encode(&x, &blob, &len) < 0)
			FATAL("cannot encode\n");
		memcpy(buf + 1, blob, len);
		return len + 1;
	}
	good_program(&p);
	if (rnd(2))
		p.ph[0].p_type = PT_GNU_STACK;
	if (rnd(2))
		p.eh.e_type = ET_EXEC;
	memcpy(buf + 1, &p, sizeof(p));
	return sizeof(p) + 1;
}

static size_t mutate(uint8_t *buf, size_t size, enum kind kind)
{
	size_t head = size < sizeof(Elf64_Ehdr) + HEADERS * sizeof(Elf64_Phdr) + 16 ? size - 1 :
		      sizeof(Elf64_Ehdr) + HEADERS * sizeof(Elf64_Phdr) + 16;
	static const uint64_t edges[] = { 0, 1, 0xfff, 0x1000, 0x7fffffff, 0xffffffff, 0x7effffffffff,
					  0x7fffffffffffffff, ~0ULL };

	for (uint64_t n = rnd(6); n-- > 0;) {
		size_t at = 1 + rnd(head);
		uint64_t v = rnd(2) ? edges[rnd(sizeof(edges) / sizeof(edges[0]))] : rnd(1ULL << (1 + rnd(48)));

		if (rnd(2) || kind == SCRIPT)
			buf[at] = (uint8_t)rnd(256);
		else if ((at = 1 + ((at - 1) & ~(size_t)7)) + 8 <= size)
			memcpy(buf + at, &v, 8);
	}
	return rnd(8) ? size : 1 + rnd(size);
}

int main(int argc, char **argv)
{
	static uint8_t buf[INPUT_MAX];
	unsigned long runs = 0;

	double_no_randomisation(argv);
	if (argc > 1)
		return fuzz_files(argc - 1, argv + 1, sizeof(buf));
	for (; fuzz_goes_on(runs, 1); runs++) {
		enum kind kind = (enum kind)rnd(KINDS);

		LLVMFuzzerTestOneInput(buf, mutate(buf, good_input(buf, kind), kind));
	}
	printf("1..1\nok 1 - fuzz_elf # %lu runs from seed %llu\n", runs, (unsigned long long)fuzz_seed());
	return 0;
}
#endif
