/*
 * The guest's address space against Linux: random calls are made on a struct mm here and natively by a child at the
 * same addresses; results, errors and /proc/PID/maps must agree.
 */
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/unit/mm_test.h"
#include "tests/unit/unit.h"
#include "vmm/cleanup.h"

#define STEPS 3000
#define AREA_PAGES 64

/* ---- a child that makes calls natively ---- */

struct request { long nr; uint64_t arg[6]; };

static struct { pid_t pid; int to, from; } native;

static void native_loop(int in, int out)
{
	struct request r;

	while (read(in, &r, sizeof(r)) == sizeof(r)) {
		long ret = syscall(r.nr, r.arg[0], r.arg[1], r.arg[2], r.arg[3], r.arg[4], r.arg[5]);

		if (ret == -1)
			ret = -errno;
		if (write(out, &ret, sizeof(ret)) != sizeof(ret))
			break;
	}
	_exit(0);
}

static void native_start(void)
{
	int to[2], from[2];

	ck_assert(pipe(to) == 0 && pipe(from) == 0);
	native.pid = fork();
	ck_assert_int_ge(native.pid, 0);
	if (!native.pid) {
		close(to[1]);
		close(from[0]);
		native_loop(to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	native.to = to[1];
	native.from = from[0];
}

static void native_stop(void)
{
	close(native.to);
	close(native.from);
	waitpid(native.pid, NULL, 0);
}

static int64_t natively(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	struct request r = { nr, { a, b, c, d, e, 0 } };
	long ret;

	ck_assert_int_eq(write(native.to, &r, sizeof(r)), sizeof(r));
	ck_assert_int_eq(read(native.from, &ret, sizeof(ret)), sizeof(ret));
	return ret;
}

/* ---- maps of both, without names, devices and inodes ---- */

static char *guest_part(FILE *in)
{
	cleanup_free char *line = NULL;
	size_t cap = 0, size;
	char *text = NULL, perms[8];
	FILE *out = open_memstream(&text, &size);
	uint64_t start, end, offset;

	while (getline(&line, &cap, in) > 0)
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64, &start, &end, perms, &offset) == 4 &&
		    start < GUEST_TOP &&
		    !space_hole(mm, start, end))
			fprintf(out, "%" PRIx64 "-%" PRIx64 " %s %" PRIx64 "\n", start, end, perms, offset);
	fclose(out);
	return text;
}

static char *our_maps(void)
{
	cleanup_free char *text = NULL;
	cleanup_fclose FILE *in = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	mm_print_maps(mm, out);
	fclose(out);
	if (!size)
		return strdup("");
	in = fmemopen(text, size, "r");
	return guest_part(in);
}

static char *native_maps(void)
{
	cleanup_fclose FILE *in = NULL;
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/maps", native.pid);
	in = fopen(path, "r");
	ck_assert_ptr_nonnull(in);
	return guest_part(in);
}

static void compare_maps(unsigned seed, unsigned step, const char *what)
{
	cleanup_free char *ours = our_maps(), *theirs = native_maps();

	size_t same = 0;

	if (!strcmp(ours, theirs))
		return;
	while (ours[same] == theirs[same])
		same++;
	while (same && ours[same - 1] != '\n')
		same--;
	ck_abort_msg("seed %u step %u (%s)\nours:\n%.200s\nLinux:\n%.200s", seed, step, what, ours + same,
		     theirs + same);
}

/* ---- random calls ---- */

static uint64_t state;

static uint64_t rnd(uint64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

static uint64_t some_addr(void)
{
	return AREA + rnd(AREA_PAGES) * PAGE_SIZE_4K;
}

static uint64_t some_len(void)
{
	return (1 + rnd(rnd(4) ? 6 : 24)) * PAGE_SIZE_4K - (rnd(8) ? 0 : rnd(PAGE_SIZE_4K - 1));
}

static int some_prot(void)
{
	static const int prots[] = { PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE, PROT_READ | PROT_EXEC, PROT_WRITE,
				     PROT_READ | PROT_WRITE | PROT_EXEC };

	return prots[rnd(sizeof(prots) / sizeof(prots[0]))];
}

/* Where first fit from the top must put it: looked for without help of the allocator's own search. */
static uint64_t expected_place(uint64_t len)
{
	uint64_t top = mm->mmap_top, best = 0, end = 0;

	for (const struct vma *v = NULL;; ) {
		uint64_t limit;

		v = mm_next(mm, v);
		limit = v ? mm_guard_start(v) : top;
		if (limit > top)
			limit = top;
		if (limit > end && limit - end >= len && limit - len >= GUEST_MIN &&
		    !space_hole(mm, limit - len, limit))
			best = limit - len;
		if (!v)
			return best;
		end = v->end;
	}
}

static const char *random_mmap(void)
{
	int flags = MAP_ANONYMOUS | (rnd(4) ? MAP_PRIVATE : MAP_SHARED), prot = some_prot(), how = (int)rnd(4);
	uint64_t len = some_len(), addr = how ? some_addr() : 0, expect = expected_place((len + 4095) & ~4095ULL);
	int64_t got, want;

	if (!rnd(6))
		flags |= MAP_NORESERVE;
	if (!rnd(6))
		flags |= MAP_GROWSDOWN;
	if (!rnd(8))
		flags |= MAP_STACK;
	if (how == 2)
		flags |= MAP_FIXED;
	else if (how == 3)
		flags |= MAP_FIXED_NOREPLACE;
	if (how == 1 && !rnd(3))
		addr += 1 + rnd(4095);
	got = call(do_mmap, addr, len, (uint64_t)prot, (uint64_t)flags, 0);
	if (how == 0 && got >= 0)
		ck_assert_msg((uint64_t)got == expect, "placed at %#" PRIx64 ", the highest gap is %#" PRIx64, got,
			      expect);
	want = natively(SYS_mmap, addr, len, (uint64_t)prot, (uint64_t)flags, (uint64_t)-1);
	if (how < 2 && want >= 0) {
		bool honoured = how == 1 && (uint64_t)want == (addr & ~4095ULL);

		ck_assert_msg(!honoured || got == want, "hint %#" PRIx64 " not honoured: %#" PRIx64, addr, got);
		ck_assert_msg(honoured || how == 0 || (uint64_t)got != (addr & ~4095ULL),
			      "hint %#" PRIx64 " wrongly honoured", addr);
		if (!honoured) {
			natively(SYS_munmap, (uint64_t)want, len, 0, 0, 0);
			want = natively(SYS_mmap, (uint64_t)got, len, (uint64_t)prot, (uint64_t)flags |
					MAP_FIXED_NOREPLACE,
					(uint64_t)-1);
		}
	}
	ck_assert_msg(got == want, "mmap(%#" PRIx64 ", %#" PRIx64 ", %#x, %#x): %#" PRIx64 ", Linux %#" PRIx64, addr,
		      len, prot,
		      flags, got, want);
	return "mmap";
}

static const char *random_munmap(void)
{
	uint64_t addr = some_addr() + (rnd(10) ? 0 : 8), len = rnd(20) ? some_len() : 0;

	ck_assert_int_eq(call(do_munmap, addr, len, 0, 0, 0), natively(SYS_munmap, addr, len, 0, 0, 0));
	return "munmap";
}

static const char *random_mprotect(void)
{
	uint64_t addr = some_addr() + (rnd(10) ? 0 : 8), len = rnd(20) ? some_len() : 0;
	uint64_t prot = (uint64_t)some_prot() | (rnd(20) ? 0 : 64) | (rnd(10) ? 0 : PROT_GROWSDOWN) |
			(rnd(20) ? 0 : PROT_GROWSUP);
	int64_t got = call(do_mprotect, addr, len, prot, 0, 0);

	ck_assert_int_eq(got, natively(SYS_mprotect, addr, len, prot, 0, 0));
	return "mprotect";
}

static const char *random_mremap(void)
{
	static const uint64_t all_flags[] = { 0, MREMAP_MAYMOVE, MREMAP_MAYMOVE | MREMAP_FIXED, MREMAP_MAYMOVE |
					      MREMAP_DONTUNMAP,
					      MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, MREMAP_FIXED, 64 };
	uint64_t flags = all_flags[rnd(rnd(8) ? 5 : 7)], old = some_addr() + (rnd(20) ? 0 : 8), old_len = some_len();
	uint64_t new_len = rnd(20) ? some_len() : 0, to = some_addr() + (rnd(20) ? 0 : 8);
	const struct vma *v = mm_find(mm, old);
	int64_t got, want;

	if (v && rnd(2))
		old_len = v->end - old;
	/* Linux 6.17 moves several mappings at once; earlier ones say EFAULT, as we do. */
	if (v && old_len > v->end - old)
		old_len = v->end - old;
	if (!rnd(12))
		old_len = 0;
	if (flags & MREMAP_DONTUNMAP && rnd(8))
		new_len = old_len;
	if (!(flags & MREMAP_FIXED))
		to = 0;
	got = call(do_mremap, old, old_len, new_len, flags, to);
	if (got >= 0 && (uint64_t)got != old && !(flags & MREMAP_FIXED))
		want = natively(SYS_mremap, old, old_len, new_len, flags | MREMAP_FIXED, (uint64_t)got);
	else
		want = natively(SYS_mremap, old, old_len, new_len, flags, to);
	ck_assert_msg(got == want,
		      "mremap(%#" PRIx64 ", %#" PRIx64 ", %#" PRIx64 ", %" PRIu64 ", %#" PRIx64 "): %" PRId64
		      ", Linux %" PRId64, old, old_len, new_len, flags, to, got, want);
	return "mremap";
}

START_TEST(test_random)
{
	unsigned seed = (unsigned)_i + 1;

	state = seed * 0x9e3779b97f4a7c15ULL;
	native_start();
	for (unsigned step = 0; step < STEPS; step++) {
		uint64_t kind = rnd(10);
		const char *what = kind < 4 ? random_mmap() : kind < 6 ? random_munmap() :
				   kind < 8 ? random_mprotect() : random_mremap();

		compare_maps(seed, step, what);
	}
	check_entries();
	native_stop();
}
END_TEST

/* ---- errors of single calls ---- */

START_TEST(test_errors)
{
	const int anon = MAP_PRIVATE | MAP_ANONYMOUS;
	static const struct { uint64_t addr, len; int flags; } maps[] = {
		{ 0, 0, MAP_PRIVATE }, { 0, 4096, 0 }, { 0, 4096, MAP_TYPE },
				{ AREA + 1, 4096, MAP_PRIVATE | MAP_FIXED },
		{ 0, UINT64_MAX, MAP_PRIVATE }, { 0, UINT64_MAX - 4096, MAP_PRIVATE },
				{ 0, 4096, MAP_SHARED | MAP_GROWSDOWN },
		{ UINT64_MAX & ~4095ULL, 8192, MAP_PRIVATE | MAP_FIXED },
	};

	native_start();
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		uint64_t flags = (uint64_t)maps[i].flags | MAP_ANONYMOUS;

		ck_assert_msg(call(do_mmap, maps[i].addr, maps[i].len, PROT_READ, flags, 0) ==
			      natively(SYS_mmap, maps[i].addr, maps[i].len, PROT_READ, flags, (uint64_t)-1),
			      "mmap %zu", i);
	}
	/* The guest's own limits. */
	ck_assert_int_eq(call(do_mmap, GUEST_TOP - 4096, 8192, PROT_READ, (uint64_t)anon | MAP_FIXED, 0), -ENOMEM);
	ck_assert_int_eq(call(do_mmap, 4096, 4096, PROT_READ, (uint64_t)anon | MAP_FIXED, 0), -EPERM);
	ck_assert_int_eq(call(do_munmap, GUEST_TOP - 4096, 8192, 0, 0, 0), -EINVAL);
	ck_assert_int_eq(call(do_pkey_mprotect, AREA, 4096, PROT_READ, 1, 0), -EINVAL);
	native_stop();
}
END_TEST

START_TEST(test_holes)
{
	struct mm_range h;
	uint64_t flags = MAP_PRIVATE | MAP_ANONYMOUS;

	ck_assert_uint_gt(mm->nholes, 0);
	h = mm->hole[0];
	ck_assert_int_eq(mm_range_ok(mm, h.start, 1), 0);
	ck_assert_int_eq(mm_range_ok(mm, h.start - 1, 1), 1);
	ck_assert_int_eq(mm_range_ok(mm, h.start - 1, 2), 0);
	ck_assert_int_eq(mm_range_ok(mm, GUEST_TOP - 8, 9), 0);
	ck_assert_int_eq(mm_range_ok(mm, GUEST_TOP, 1), 0);
	ck_assert_int_eq(mm_range_ok(mm, 8, UINT64_MAX), 0);
	ck_assert_int_eq(call(do_mmap, h.start, 4096, PROT_READ, flags | MAP_FIXED, 0), -ENOMEM);
	ck_assert_int_eq(call(do_mmap, h.start, 4096, PROT_READ, flags | MAP_FIXED_NOREPLACE, 0), -EEXIST);
	ck_assert_int_eq(call(do_munmap, h.start, h.end - h.start, 0, 0, 0), 0);
	ck_assert_int_eq(mm->nholes ? memcmp(&h, &mm->hole[0], sizeof(h)) : 1, 0);
	ck_assert_int_eq(call(do_mprotect, h.start, 4096, PROT_READ, 0, 0), -ENOMEM);
	ck_assert_int_eq(call(do_madvise, h.start, 4096, MADV_DONTNEED, 0, 0), -ENOMEM);
	ck_assert_int_eq(call(do_mlock, h.start, 4096, 0, 0, 0), -ENOMEM);
	ck_assert_int_eq(call(do_mincore, h.start, 4096, h.start, 0, 0), -EFAULT);
}
END_TEST

START_TEST(test_32bit)
{
	int64_t a = call(do_mmap, 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, 0);
	int64_t b = call(do_mmap, 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, 0);

	ck_assert_int_eq(a, 0x40000000);
	ck_assert_int_eq(b, 0x40001000);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *s = suite_create("mm");
	TCase *c = tcase_create("mm");

	(void)argc;
	double_no_randomisation(argv);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_loop_test(c, test_random, 0, 4);
	tcase_add_test(c, test_errors);
	tcase_add_test(c, test_holes);
	tcase_add_test(c, test_32bit);
	suite_add_tcase(s, c);
	return unit_run(s);
}
