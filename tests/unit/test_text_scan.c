/* Finding instructions in text: what is one, what only looks like one, and what hostile bytes and files do. */
#include <check.h>
#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/text_funcs.h"
#include "vmm/text_scan.h"

#define CODE(name, text)                                                                         \
	__asm__(".pushsection .rodata\n" #name ": " text "\n" #name "_end: .popsection");       \
	extern const uint8_t name[], name##_end[]

#define LABEL(name) extern const uint8_t name[]

static struct text_found found;
static uint64_t known_start;

static void one_function(void *arg, struct text_place *place, size_t n)
{
	(void)arg;
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_eq(place[i].start, TEXT_UNKNOWN);
		ck_assert(i == 0 || place[i].off > place[i - 1].off);
		if (place[i].off >= known_start)
			place[i].start = known_start;
	}
}

static void scan(const uint8_t *code, size_t len, bool function, unsigned kinds)
{
	struct text_input in = { .code = code, .len = len, .kinds = kinds, .functions = function ? one_function : NULL };

	free(found.hit);
	known_start = 0;
	ck_assert_int_eq(text_scan(&in, &found), 0);
}

#define SCAN(name, function) scan(name, (size_t)(name##_end - name), function, TEXT_ALL)

static void expect_hit(size_t i, uint64_t off, unsigned len, unsigned kind)
{
	ck_assert_uint_lt(i, found.n);
	ck_assert_uint_eq(found.hit[i].off, off);
	ck_assert_uint_eq(found.hit[i].len, len);
	ck_assert_uint_eq(found.hit[i].kind, kind);
}

/* ---- with a function start ---- */

CODE(plain, "push %rbx; xor %eax, %eax; cpuid; mov %eax, (%rdi); pop %rbx; ret");

START_TEST(test_function)
{
	SCAN(plain, true);
	ck_assert_uint_eq(found.n, 1);
	expect_hit(0, 3, 2, TEXT_CPUID);
	ck_assert_uint_eq(found.unproven, 0);
	scan(plain, (size_t)(plain_end - plain), true, TEXT_ALL & ~TEXT_BIT(TEXT_CPUID));
	ck_assert_uint_eq(found.n, 0);
}
END_TEST

CODE(constant, "push %rbx; mov $0xa20f, %eax; cmp $0xf0c70fa2, %ecx; lea 0xf8c7(%rax), %edx; pop %rbx; ret; nop; nop");

START_TEST(test_constant)
{
	SCAN(constant, true);
	ck_assert_uint_eq(found.n, 0);
	ck_assert_uint_eq(found.unproven, 0);
}
END_TEST

/* Code behind a jump over data that would swallow its beginning, and code that only a jump backwards reaches. */
CODE(jumps, "jmp 1f; .byte 0x48, 0xb8; jumps_first: 1: cpuid; test %eax, %eax; jne 2f; ret; .byte 0x81;"
	    "jumps_second: 3: cpuid; ret; .byte 0x05; 2: dec %eax; jmp 3b");
LABEL(jumps_first);
LABEL(jumps_second);

START_TEST(test_jumps)
{
	SCAN(jumps, true);
	ck_assert_uint_eq(found.n, 2);
	expect_hit(0, (uint64_t)(jumps_first - jumps), 2, TEXT_CPUID);
	expect_hit(1, (uint64_t)(jumps_second - jumps), 2, TEXT_CPUID);
}
END_TEST

/* Behind a return nothing is reached. */
CODE(unreached, "xor %eax, %eax; ret; .byte 0x0f, 0xa2, 0x0f, 0xa2, 0x3c, 0x99");

START_TEST(test_unreached)
{
	SCAN(unreached, true);
	ck_assert_uint_eq(found.n, 0);
	ck_assert_uint_gt(found.unproven, 0);
}
END_TEST

CODE(prefixes, "rdrand %eax; .byte 0x66, 0x0f, 0xc7, 0xf1; rdrand %r9; rdseed %ecx; .byte 0xf3, 0x0f, 0xc7, 0xf8;"
	       ".byte 0xf3, 0x41, 0x0f, 0xc7, 0xfa; .byte 0xf3, 0x0f, 0xc7, 0xf0; .byte 0x66, 0x0f, 0xa2;"
	       "prefixes_x: xbegin 1f; xend; 1: ret");
LABEL(prefixes_x);

START_TEST(test_prefixes)
{
	SCAN(prefixes, true);
	ck_assert_uint_eq(found.n, 8);
	expect_hit(0, 0, 3, TEXT_RDRAND);
	expect_hit(1, 3, 4, TEXT_RDRAND);
	expect_hit(2, 7, 4, TEXT_RDRAND);
	expect_hit(3, 11, 3, TEXT_RDSEED);
	expect_hit(4, 14, 4, TEXT_RDPID);
	expect_hit(5, 18, 5, TEXT_RDPID);
	/* f3 0f c7 /6 is another instruction (senduipi) */
	expect_hit(6, 27, 3, TEXT_CPUID);
	expect_hit(7, (uint64_t)(prefixes_x - prefixes), 6, TEXT_XBEGIN);
}
END_TEST

/* ---- without ---- */

#define BODY "mov %rdi, %r8; mov %esi, %r9d; mov %esi, %r10d; add $1, %r10d; and $15, %r10d; mov %r10d, %r11d;"   \
	     "imul $3, %r11d, %r11d; lea 1(%r11), %r10; mov %r10, %rdx; shl $2, %rdx; sub %r10, %rdx;"             \
	     "xor %r10d, %r10d; test %rdi, %rdi; mov %rdx, %r11; add $8, %r11; mov %r11, %rdx;"

CODE(agreed, BODY "xor %ecx, %ecx; mov %r9d, %eax; agreed_at: cpuid; mov %eax, (%r8); ret");
LABEL(agreed_at);
/* Nothing is asked for: eax is not set. */
CODE(no_leaf, BODY "cpuid; mov %eax, (%r8); ret");
/* Nothing is done with the answer. */
CODE(no_use, BODY "mov %r9d, %eax; cpuid; xor %eax, %eax; xor %ebx, %ebx; xor %ecx, %ecx; xor %edx, %edx; mov %eax, (%r8); ret");
/* Odd things before: what data looks like. */
CODE(odd, BODY "in $3, %al; xor %ecx, %ecx; mov %r9d, %eax; cpuid; mov %eax, (%r8); ret");
CODE(constant2, BODY "mov $0xa20f, %eax; mov %eax, (%r8); add $0xa20f, %ecx; ret");
CODE(carry, BODY "rdrand %rax; jnc 1f; rdseed %ecx; setc %al; 1: ret");

START_TEST(test_agreement)
{
	SCAN(agreed, false);
	ck_assert_uint_eq(found.n, 1);
	expect_hit(0, (uint64_t)(agreed_at - agreed), 2, TEXT_CPUID);
	SCAN(no_leaf, false);
	ck_assert_uint_eq(found.n, 0);
	ck_assert_uint_eq(found.unproven, 1);
	SCAN(no_use, false);
	ck_assert_uint_eq(found.n, 0);
	SCAN(odd, false);
	ck_assert_uint_eq(found.n, 0);
	SCAN(constant2, false);
	ck_assert_uint_eq(found.n, 0);
	SCAN(carry, false);
	ck_assert_uint_eq(found.n, 2);
	/* Too little before it. */
	SCAN(plain, false);
	ck_assert_uint_eq(found.n, 0);
	ck_assert_uint_eq(found.unproven, 1);
}
END_TEST

START_TEST(test_from)
{
	struct text_input in = { .code = agreed, .len = (size_t)(agreed_end - agreed), .kinds = TEXT_ALL };
	struct text_found f;

	in.from = (size_t)(agreed_at - agreed);
	ck_assert_int_eq(text_scan(&in, &f), 0);
	ck_assert_uint_eq(f.n, 1);
	free(f.hit);
	in.from++;
	ck_assert_int_eq(text_scan(&in, &f), 0);
	ck_assert_uint_eq(f.n + f.unproven, 0);
	free(f.hit);
}
END_TEST

/* ---- the search ---- */

START_TEST(test_every_place)
{
	static const struct { uint8_t b[6]; unsigned len, kind; } p[] = {
		{ { 0x0f, 0xa2 }, 2, TEXT_CPUID }, { { 0x0f, 0xc7, 0xf3 }, 3, TEXT_RDRAND },
		{ { 0x0f, 0xc7, 0xff }, 3, TEXT_RDSEED }, { { 0xc7, 0xf8, 1, 2, 3, 4 }, 6, TEXT_XBEGIN },
	};
	uint8_t b[80];

	for (size_t k = 0; k < sizeof(p) / sizeof(p[0]); k++)
		for (size_t len = 0; len <= sizeof(b); len++) {
			memset(b, 0x90, sizeof(b));
			ck_assert(!text_suspects(b, len, TEXT_ALL));
			for (size_t at = 0; at < len; at++) {
				memset(b, 0x90, sizeof(b));
				memcpy(b + at, p[k].b, sizeof(b) - at < p[k].len ? sizeof(b) - at : p[k].len);
				ck_assert_msg(text_suspects(b, len, TEXT_BIT(p[k].kind)) == (at + p[k].len <= len),
					      "kind %u at %zu of %zu", p[k].kind, at, len);
				ck_assert(!text_suspects(b, len, TEXT_ALL & ~TEXT_BIT(p[k].kind) &
							 ~(p[k].kind == TEXT_RDSEED ? TEXT_BIT(TEXT_RDPID) : 0)));
			}
		}
}
END_TEST

static uint64_t random_state = 88172645463325252u;

static uint64_t random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	return random_state ^= random_state << 17;
}

static void wild_functions(void *arg, struct text_place *place, size_t n)
{
	size_t len = *(size_t *)arg;

	for (size_t i = 0; i < n; i++) {
		place[i].start = random64() % (2 * len + 1);
		place[i].next = random64() % 3 ? random64() % (2 * len + 1) : UINT64_MAX;
	}
}

/* Bytes full of patterns, with the wildest function starts: results stay inside, in order, and are what they say. */
START_TEST(test_hostile)
{
	static const uint8_t spice[] = { 0x0f, 0xa2, 0xc7, 0xf0, 0xf8, 0xf3, 0x66, 0x48, 0xeb, 0xe9, 0x74, 0x89, 0xc3 };
	static uint8_t b[600];

	for (unsigned round = 0; round < 3000; round++) {
		size_t len = random64() % sizeof(b);
		struct text_input in = { .code = b, .len = len, .from = random64() % 50, .kinds = TEXT_ALL,
					 .functions = wild_functions, .arg = &len };
		struct text_found f;

		for (size_t i = 0; i < len; i++)
			b[i] = random64() % 3 ? spice[random64() % sizeof(spice)] : (uint8_t)random64();
		ck_assert_int_eq(text_scan(&in, &f), 0);
		for (size_t i = 0; i < f.n; i++) {
			ck_assert_uint_le(f.hit[i].off + f.hit[i].len, len);
			ck_assert_uint_ge(f.hit[i].len, 2);
			ck_assert(i == 0 || f.hit[i].off >= f.hit[i - 1].off);
		}
		free(f.hit);
	}
}
END_TEST

static void all_one_function(void *arg, struct text_place *place, size_t n)
{
	(void)arg;
	for (size_t i = 0; i < n; i++)
		place[i].start = 0;
}

START_TEST(test_bounded)
{
	const size_t len = 4u << 20;
	struct text_input in = { .len = len, .kinds = TEXT_ALL, .functions = all_one_function };
	uint8_t *b = malloc(len);
	struct timespec from, to;
	struct text_found f;

	for (size_t i = 0; i < len; i += 2)
		memcpy(b + i, "\x0f\xa2", 2);
	b[0] = 0xc3;
	in.code = b;
	clock_gettime(CLOCK_MONOTONIC, &from);
	ck_assert_int_eq(text_scan(&in, &f), 0);
	clock_gettime(CLOCK_MONOTONIC, &to);
	ck_assert_int_lt(to.tv_sec - from.tv_sec, 5);
	free(f.hit);
	free(b);
}
END_TEST

/* ---- ELF files ---- */

/* In this program's own text: a function of its own, and one without any description. */
__asm__(".pushsection .text\n"
	".globl described; .type described, @function; described: push %rbx; xor %eax, %eax; described_at: cpuid;"
	"mov %ebx, %eax; pop %rbx; ret; .size described, .-described\n"
	".popsection");
LABEL(described_at);
LABEL(described);

static bool own_text(int fd, Elf64_Phdr *text, Elf64_Ehdr *eh)
{
	if (pread(fd, eh, sizeof(*eh), 0) != sizeof(*eh))
		return false;
	for (unsigned i = 0; i < eh->e_phnum; i++)
		if (pread(fd, text, sizeof(*text), (off_t)(eh->e_phoff + i * sizeof(*text))) == sizeof(*text) &&
		    text->p_type == PT_LOAD && text->p_flags & PF_X)
			return true;
	return false;
}

struct file {
	int fd;
	uint64_t off, len;
};

static void from_file(void *arg, struct text_place *place, size_t n)
{
	const struct file *f = arg;

	text_funcs_near(f->fd, f->off, f->len, place, n);
}

START_TEST(test_elf)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	Elf64_Phdr text;
	Elf64_Ehdr eh;

	ck_assert(own_text(fd, &text, &eh));
	uint8_t *code = malloc(text.p_filesz);
	/* main's address tells where the program is. */
	extern int main(void);
	struct file file = { fd, text.p_offset, text.p_filesz };
	struct text_input in = { .code = code, .len = text.p_filesz, .kinds = TEXT_BIT(TEXT_CPUID), .functions = from_file,
				 .arg = &file };
	struct text_found f;
	uint64_t at = 0;

	ck_assert_int_eq(pread(fd, code, text.p_filesz, (off_t)text.p_offset), (ssize_t)text.p_filesz);
	ck_assert_int_eq(text_scan(&in, &f), 0);
	for (size_t i = 0; i < f.n; i++)
		if (!memcmp(code + f.hit[i].off - 3, described, 10))
			at = f.hit[i].off;
	ck_assert_uint_ne(at, 0);
	ck_assert_int_eq(described_at - described, 3);
	free(f.hit);

	/* Its function is known, not guessed. */
	struct text_place p = { at, TEXT_UNKNOWN, text.p_filesz };

	text_funcs_near(fd, text.p_offset, text.p_filesz, &p, 1);
	ck_assert_uint_eq(p.start, at - 3);
	ck_assert_uint_gt(p.next, at);
	/* Half of the text: places and starts count from there. */
	p = (struct text_place){ 3, TEXT_UNKNOWN, text.p_filesz - (at - 3) };
	text_funcs_near(fd, text.p_offset + at - 3, text.p_filesz - (at - 3), &p, 1);
	ck_assert_uint_eq(p.start, 0);
	free(code);
	close(fd);
}
END_TEST

/* Own headers with wild bytes in them, and cut files. */
START_TEST(test_hostile_elf)
{
	int exe = open("/proc/self/exe", O_RDONLY), fd = memfd_create("elf", MFD_CLOEXEC);
	const size_t head = 65536;
	uint8_t *b = malloc(head), *w = malloc(head);
	ssize_t n = pread(exe, b, head, 0);
	Elf64_Phdr text;
	Elf64_Ehdr eh;

	ck_assert(n > 1000 && own_text(exe, &text, &eh));
	/* Section headers nearby, so that changes meet them. */
	pread(exe, b + 4096, 8192, (off_t)eh.e_shoff);
	((Elf64_Ehdr *)b)->e_shoff = 4096;
	for (unsigned round = 0; round < 2000; round++) {
		struct text_place p[3] = { { 10, TEXT_UNKNOWN, 4096 }, { 20, TEXT_UNKNOWN, 4096 }, { 4000, TEXT_UNKNOWN, 4096 } };
		size_t len = random64() % 8 ? head : random64() % head;

		memcpy(w, b, head);
		for (unsigned i = 0; i < 1 + round % 6; i++)
			w[random64() % (random64() % 2 ? 1024 : 12288)] = random64() % 2 ? 0xff : (uint8_t)random64();
		ck_assert_int_eq(ftruncate(fd, 0), 0);
		ck_assert_int_eq(pwrite(fd, w, len, 0), (ssize_t)len);
		text_funcs_near(fd, text.p_offset, 4096, p, 3);
		for (unsigned i = 0; i < 3; i++) {
			ck_assert(p[i].start == TEXT_UNKNOWN || p[i].start <= p[i].off);
			ck_assert(p[i].next > p[i].off && p[i].next <= 4096);
		}
	}
	free(b);
	free(w);
	close(fd);
	close(exe);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("text_scan");
	TCase *c = tcase_create("text_scan");

	tcase_set_timeout(c, 60);
	tcase_add_test(c, test_function);
	tcase_add_test(c, test_constant);
	tcase_add_test(c, test_jumps);
	tcase_add_test(c, test_unreached);
	tcase_add_test(c, test_prefixes);
	tcase_add_test(c, test_agreement);
	tcase_add_test(c, test_from);
	tcase_add_test(c, test_every_place);
	tcase_add_test(c, test_hostile);
	tcase_add_test(c, test_bounded);
	tcase_add_test(c, test_elf);
	tcase_add_test(c, test_hostile_elf);
	suite_add_tcase(s, c);
	return unit_run(s);
}
