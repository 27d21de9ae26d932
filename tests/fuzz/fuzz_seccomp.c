/*
 * System call filters and saved filter states made of the input: what the checker accepts must run to its end inside its
 * sixteen words of memory, and a state that can be restored is saved as it was.
 *
 * Built with -DLIBFUZZER and clang -fsanitize=fuzzer it is a libFuzzer target. Built alone it makes random inputs for
 * SECONDS_TO_FUZZ (default 2) from FUZZ_SEED and reports in TAP; an abort ends it with a non-zero status.
 */
#include <linux/audit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "syscall-emu/seccomp.h"
#include "syscall-emu/seccomp_bpf.h"
#include "tests/fuzz/fuzz.h"


static unsigned long accepted, restored;

static void must(int cond, const char *what)
{
	if (cond)
		return;
	fprintf(stderr, "fuzz_seccomp: %s\n", what);
	abort();
}

static void try_program(const uint8_t *data, size_t size)
{
	struct seccomp_data d = { .nr = 1, .arch = AUDIT_ARCH_X86_64, .instruction_pointer = 0x560000001234,
				  .args = { 0, ~0ULL, 0x8000000080000000, 3, 0xffff, 1 } };
	unsigned len = (unsigned)(size / sizeof(struct sock_filter)), cost;
	struct sock_filter *f = malloc(len * sizeof(*f) + 1); /* of exactly this size, for the sanitizer */

	if (!f)
		abort();
	memcpy(f, data, len * sizeof(*f));
	if (seccomp_bpf_check(f, len) == 0) {
		accepted++;
		must(seccomp_bpf_run(f, len, &d) == seccomp_bpf_run(f, len, &d), "two answers");
		cost = seccomp_bpf_translated(f, len);
		must(cost > len && cost <= 3 + 5 * len, "an impossible length");
	}
	free(f);
}

static void try_state(const uint8_t *data, size_t size)
{
	struct task t = { 0 };
	uint32_t len;
	void *blob;

	if (seccomp_restore(&t, data, (uint32_t)size) < 0) {
		must(!t.seccomp.mode && !t.seccomp.newest, "changed by a state that was refused");
		return;
	}
	restored++;
	must(seccomp_save(&t, &blob, &len) == 0, "a state that cannot be saved");
	/* Reserved bytes are not kept. */
	must(len == size, "a state of another size");
	free(blob);
	seccomp_release(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (*data & 1)
		try_program(data + 1, size - 1);
	else
		try_state(data + 1, size - 1);
	return 0;
}

#ifndef LIBFUZZER
static uint32_t next(uint32_t n)
{
	return (uint32_t)(fuzz_next() >> 20) % n;
}

/* Codes that exist, operands that are often near a limit, jumps that are often inside. */
static struct sock_filter instruction(unsigned left)
{
	static const uint32_t edge[] = { 0, 1, 15, 16, 31, 32, 60, 62, 64, 0x7fffffff, 0x80000000, 0xffffffff };
	struct sock_filter i = { (uint16_t)next(next(64) ? 0xa0 : 0x10000), (uint8_t)next(left + 1), (uint8_t)next(left + 1),
				 next(2) ? edge[next(12)] : next(16) };

	if (next(8) == 0)
		i.jt = (uint8_t)next(256);
	return i;
}

static size_t random_input(uint8_t *buf)
{
	unsigned n = 1 + next(next(8) ? 6 : 60), filters = 1 + next(3);
	struct sock_filter end = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	uint32_t head[2] = { SECCOMP_MODE_FILTER, filters };
	size_t at = 1;

	buf[0] = (uint8_t)next(256);
	if (buf[0] & 1)
		filters = 1;
	else
		memcpy(buf + at, head, sizeof(head)), at += sizeof(head);
	for (unsigned k = 0; k < filters; k++) {
		const uint32_t len[2] = { n, 0 };

		if (!(buf[0] & 1))
			memcpy(buf + at, len, sizeof(len)), at += sizeof(len);
		for (unsigned i = 0; i < n; i++, at += sizeof(end)) {
			struct sock_filter insn = i + 1 < n ? instruction(n - i) : end;

			memcpy(buf + at, &insn, sizeof(insn));
		}
	}
	if (next(8) == 0)
		buf[next((uint32_t)at)] ^= (uint8_t)(1u << next(8));
	return next(16) ? at : next((uint32_t)at) + 1;
}

int main(void)
{
	unsigned long runs = 0;
	uint8_t buf[4096];

	printf("1..1\n");
	for (; fuzz_goes_on(runs, 500); runs++)
		fuzz_exact(buf, random_input(buf));
	must(accepted > runs / 1000 && restored, "inputs too bad to test anything");
	printf("ok 1 - fuzz_seccomp # %lu inputs, %lu programs and %lu states accepted\n", runs, accepted, restored);
	return 0;
}
#endif
