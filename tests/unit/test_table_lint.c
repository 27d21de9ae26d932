/* The table agrees with itself, with the kernel's list of calls, and lets no address of the VMM through. */
#include <stdio.h>
#include <sys/ioctl.h>

#include "guest_double.h"
#include "syscall-emu/rows.h"
#include "tests/unit/unit.h"
#include "vmm/layout.h"

typedef void row_fn(const struct sys_desc *d, const struct sys_desc *top);

static void each_row(row_fn *fn)
{
	for (unsigned nr = 0; nr < SYS_TABLE_SIZE; nr++) {
		const struct sys_desc *d = sys_row(nr);

		if (!d)
			continue;
		fn(d, d);
		for (unsigned i = 0; d->variants && i < *d->nvariants; i++)
			fn(&d->variants[i], d);
	}
}

static void check_len(const struct sys_desc *d, const struct sys_len *l)
{
	ck_assert_msg(l->op <= LEN_FN, "%s: length operator %u", d->name, l->op);
	ck_assert_msg(l->op != LEN_FN || l->fn, "%s: LEN_FN without function", d->name);
	ck_assert_msg((l->op != LEN_ARG && l->op != LEN_DEREF) || l->arg < d->nargs, "%s: length from argument %u of %u",
		      d->name, l->arg, d->nargs);
	ck_assert_msg(l->op == LEN_NONE || l->op == LEN_FN || l->scale, "%s: scale 0", d->name);
	ck_assert_msg((l->op != LEN_FIELD && l->op != LEN_DEREF) || (l->width && l->width <= 8), "%s: width", d->name);
}

static void check_mem(const struct sys_desc *d, const struct sys_mem *m, bool top)
{
	ck_assert_msg(m->dir <= MEM_INOUT, "%s: direction", d->name);
	check_len(d, &m->cap);
	check_len(d, &m->got);
	ck_assert_msg(m->cap.op != LEN_NONE && m->cap.op != LEN_RET, "%s: capacity is not known before the call", d->name);
	ck_assert_msg(!top || m->arg < d->nargs, "%s: region of argument %u", d->name, m->arg);
	ck_assert_msg(m->got.op != LEN_RET || m->got.scale != 1 || d->ret == RET_LEN, "%s: RETVAL without RET_LEN", d->name);
	ck_assert_msg(!(m->flags & MEM_ARRAY) || m->elem, "%s: array of nothing", d->name);
	ck_assert_msg(!(m->flags & MEM_BUDGET) || (m->sub && m->flags & MEM_ARRAY), "%s: budget without pieces", d->name);
	for (const struct sys_mem *c = m->sub; c && c->dir; c++)
		check_mem(d, c, false);
}

static bool has_region(const struct sys_desc *d, unsigned arg)
{
	for (const struct sys_mem *m = d->mem; m && m->dir; m++)
		if (m->arg == arg)
			return true;
	return false;
}

static void check_row(const struct sys_desc *d, const struct sys_desc *top)
{
	ck_assert_ptr_nonnull(d->name);
	ck_assert_msg(d->nargs <= 6, "%s: %u arguments", d->name, d->nargs);
	for (unsigned i = 0; i < 6; i++)
		ck_assert_msg(i < d->nargs ? d->arg[i] != A_NONE || d != top : d->arg[i] == A_NONE || d != top,
			      "%s: type of argument %u", d->name, i); /* a variant may skip some */
	for (unsigned i = 0; i < d->nargs; i++)
		ck_assert_msg(d->arg[i] != A_PTR || has_region(d, i) || d->refuse || d->emulate,
			      "%s: pointer %u leads nowhere", d->name, i);
	for (const struct sys_mem *m = d->mem; m && m->dir; m++) {
		check_mem(d, m, true);
		ck_assert_msg(d->arg[m->arg] == A_PTR || d->arg[m->arg] == A_PATH || d->arg[m->arg] == A_STR,
			      "%s: region of argument %u, which is no pointer", d->name, m->arg);
	}
	ck_assert_msg(!d->refuse || (d->note && d->level == LEVEL_REFUSED), "%s: refused without saying why", d->name);
	ck_assert_msg(!d->refuse || (d->refuse > 0 && d->refuse < 4096), "%s: errno %d", d->name, d->refuse);
	ck_assert_msg(d->replay == INJECT || d->emulate, "%s: redone by nothing", d->name);
	ck_assert_msg(!d->nb_mask || d->nb_arg < d->nargs, "%s: nb_arg", d->name);
	ck_assert_msg(!(d->flags_known[0] | d->flags_known[1]) || d->flags_arg < d->nargs, "%s: flags_arg", d->name);
	ck_assert_msg(!d->own_thread || d->serve < SERVE_ANY, "%s: served, but on its own thread", d->name);
	ck_assert_msg(d->serve < SERVE_ANY || d->replay == INJECT || d->emulate, "%s: served, but not on replay", d->name);
	ck_assert_msg(d->serve != SERVE_NOWAIT || d->nb_mask, "%s: served without the flag", d->name);
	if (d != top) {
		size_t n = strlen(top->name);

		ck_assert_msg(!strncmp(d->name, top->name, n) && d->name[n] == '$', "%s: not named after %s", d->name, top->name);
		ck_assert_msg(d->arg[top->sel] == A_CMD || top->sel2, "%s: argument %u selects", d->name, top->sel);
		ck_assert_msg(!(d->key & top->sel_ignore) && !(d->key & d->key_ignore), "%s: unreachable key", d->name);
	}
}

START_TEST(test_rows)
{
	each_row(check_row);
}
END_TEST

/* A variant nobody reaches because an earlier one has its key. */
START_TEST(test_variants_unique)
{
	for (unsigned nr = 0; nr < SYS_TABLE_SIZE; nr++) {
		const struct sys_desc *d = sys_row(nr);

		for (unsigned i = 0; d && d->variants && i < *d->nvariants; i++)
			for (unsigned k = 0; k < i; k++)
				ck_assert_msg(d->variants[i].key != d->variants[k].key, "%s hides %s", d->variants[k].name,
					      d->variants[i].name);
	}
}
END_TEST

/* Numbers that name a wrong type and can no longer be changed: a long for what is an int, an int for a struct. */
static bool size_is_wrong_in_linux(uint64_t key)
{
	unsigned type = _IOC_TYPE(key), size = _IOC_SIZE(key);

	return (size == sizeof(long) && (type == 'f' || type == 'v' || type == 0x12)) || (size == sizeof(int) && type == 'T');
}

/* Where an ioctl's number says how much it copies, the row says the same. */
START_TEST(test_ioctl_sizes)
{
	const struct sys_desc *top = sys_row(__NR_ioctl);
	unsigned checked = 0;

	for (unsigned i = 0; i < *top->nvariants; i++) {
		const struct sys_desc *d = &top->variants[i];
		const struct sys_mem *m = d->mem;

		if (d->key_ignore || size_is_wrong_in_linux(d->key) || !_IOC_SIZE(d->key) || !m || !m->dir || m->arg != 2 || m->cap.op != LEN_CONST)
			continue;
		ck_assert_msg(m->cap.scale == _IOC_SIZE(d->key), "%s: %u bytes, its number says %u", d->name, m->cap.scale,
			      (unsigned)_IOC_SIZE(d->key));
		checked++;
	}
	ck_assert_uint_gt(checked, 10);
}
END_TEST

static void check_number(unsigned nr, const char *name)
{
	const struct sys_desc *d = sys_row(nr);

	ck_assert_msg(d != NULL, "%u (%s) has no row", nr, name);
	ck_assert_msg(d->key == nr, "%u (%s): row has number %llu", nr, name, (unsigned long long)d->key);
	ck_assert_msg(!*name || !strcmp(d->name, name), "%u is %s, not %s", nr, name, d->name);
}

/* Linux 6.18: 0 to 336 and 424 to 469; and whatever the headers of this machine know. */
START_TEST(test_every_number)
{
	static const char *const lists[] = {
		"/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"
	};
	char line[256], name[64];
	unsigned nr;

	for (nr = 0; nr <= 469; nr++)
		if (nr <= 336 || nr >= 424)
			check_number(nr, "");
	for (unsigned i = 0; i < 2; i++) {
		FILE *f = fopen(lists[i], "r");

		while (f && fgets(line, sizeof(line), f))
			if (sscanf(line, "#define __NR_%63s %u", name, &nr) == 2 && nr <= 469)
				check_number(nr, name);
		if (f)
			fclose(f);
	}
}
END_TEST

START_TEST(test_lookup)
{
	const uint64_t none[6] = { 0 };
	const uint64_t preadv2_new_flag[6] = { 0, 0, 0, 0, 0, 1u << 20 };

	ck_assert_ptr_eq(sys_lookup(__NR_read, none), sys_row(__NR_read));
	ck_assert_ptr_eq(sys_lookup(1ULL << 32 | __NR_read, none), sys_row(__NR_read));
	ck_assert_ptr_null(sys_lookup(400, none));
	ck_assert_ptr_null(sys_lookup(0x40000000, none));
	ck_assert_ptr_null(sys_lookup(~0ULL, none));
	ck_assert_ptr_eq(sys_lookup(__NR_preadv2, none), sys_row(__NR_preadv2));
	ck_assert_ptr_null(sys_lookup(__NR_preadv2, preadv2_new_flag));
	ck_assert_ptr_null(sys_lookup(__NR_ioctl, (const uint64_t[6]){ 0, 0xdeadbeef }));
	ck_assert_str_eq(sys_lookup(__NR_ioctl, (const uint64_t[6]){ 0, 0xffffffff00000000 | TCGETS })->name, "ioctl$TCGETS");
	ck_assert_ptr_eq(sys_by_name("openat"), sys_row(__NR_openat));
	ck_assert_ptr_null(sys_by_name("nosuchcall"));
	/* an option without pointers needs no row of its own */
	ck_assert_str_eq(sys_lookup(__NR_setsockopt, (const uint64_t[6]){ 0, 0x7777, 0x7777 })->name, "setsockopt");
}
END_TEST

/* ---- addresses of the VMM ---- */

static const uint64_t bad_address[] = { GUEST_TOP, GUEST_TOP + 0x123456, HOLE_BASE, HOLE_BASE + 0x8000, ~0ULL >> 17 };
static const uint64_t straddling[] = { GUEST_TOP - 1, HOLE_BASE - 1 };
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
static unsigned pointers_checked, nested_checked;

static int try_build(const struct sys_desc *d, const uint64_t args[6])
{
	return plan_build(&task.plan, &task, d, 0, args);
}

static bool is_pointer(const struct sys_desc *d, unsigned i)
{
	return d->arg[i] == A_PTR || d->arg[i] == A_PATH || d->arg[i] == A_STR;
}

/*
 * Memory in which every object is a sound one: an address, a small number, an address ... is an iovec, a msghdr, a
 * list of them; the low half of each is a small number too.
 */
static void fill_memory(void)
{
	for (uint64_t a = MEM_BASE; a < MEM_BASE + 0x10000; a += 16) {
		*(uint64_t *)at(a) = MEM_BASE + 0x40;
		*(uint64_t *)at(a + 8) = 0x40;
	}
}

/* All pointers good, all numbers small; the selector as the variant wants it. */
static void good_arguments(const struct sys_desc *d, const struct sys_desc *top, uint64_t args[6])
{
	for (unsigned i = 0; i < 6; i++)
		args[i] = i < d->nargs && is_pointer(d, i) ? MEM_BASE + 0x1000 * i + 0x40 : 0x40;
	if (d == top)
		return;
	args[top->sel] = top->sel2 ? d->key >> 32 : d->key;
	if (top->sel2)
		args[top->sel2] = (uint32_t)d->key;
}

/* The region of an argument in the plan just built, or NULL: absent this time. */
static const struct plan_region *region_of(uint64_t arg)
{
	for (uint32_t i = 0; i < task.plan.nregions; i++) {
		const struct plan_region *r = &task.plan.region[i];

		if (r->parent == ~0ULL && r->addr == arg)
			return r;
	}
	return NULL;
}

static void refuses(const struct sys_desc *d, const uint64_t args[6], const void *where, uint64_t cap, const char *what)
{
	uint64_t saved;

	memcpy(&saved, where, sizeof(saved));
	for (unsigned b = 0; b < COUNT(bad_address); b++) {
		memcpy((void *)where, &bad_address[b], sizeof(saved));
		ck_assert_msg(try_build(d, args) == -EFAULT, "%s: %s: %llx is let through", d->name, what,
			      (unsigned long long)bad_address[b]);
	}
	for (unsigned b = 0; b < COUNT(straddling) && cap > 1; b++) {
		memcpy((void *)where, &straddling[b], sizeof(saved));
		ck_assert_msg(try_build(d, args) == -EFAULT, "%s: %s: %llx is let through", d->name, what,
			      (unsigned long long)straddling[b]);
	}
	memcpy((void *)where, &saved, sizeof(saved));
	pointers_checked++;
}

/* Each kind of nested pointer once: the array elements' are alike. */
static void check_nested(const struct sys_desc *d, const uint64_t args[6])
{
	const struct sys_mem *seen[16];
	unsigned nseen = 0;

	for (uint32_t i = 0; try_build(d, args) == 0 && i < task.plan.nregions; i++) {
		struct plan_region r = task.plan.region[i];
		bool again = r.parent == ~0ULL;

		for (unsigned k = 0; k < nseen; k++)
			again |= seen[k] == r.mem;
		if (again)
			continue;
		ck_assert_uint_lt(nseen, COUNT(seen));
		seen[nseen++] = r.mem;
		refuses(d, args, at(task.plan.region[r.parent].addr + r.slot), r.mem->cap.op == LEN_CSTR ? 1 : r.cap,
			"nested pointer");
		nested_checked++;
	}
}

static void check_addresses(const struct sys_desc *d, const struct sys_desc *top)
{
	uint64_t args[6];

	if (d->refuse || (d->level == LEVEL_GENERIC && !d->mem))
		return;
	fill_memory();
	good_arguments(d, top, args);
	for (unsigned i = 0; i < d->nargs; i++) {
		const struct plan_region *r;
		uint64_t cap;

		if (!is_pointer(d, i))
			continue;
		if (try_build(d, args) < 0) /* an object with limits of its own */
			memset(at(MEM_BASE), 0, 0x10000);
		ck_assert_msg(try_build(d, args) == 0, "%s: good arguments are refused", d->name);
		r = region_of(args[i]);
		if (!r)
			continue;
		cap = r->mem->cap.op == LEN_CONST ? r->mem->cap.scale : 1;
		refuses(d, args, &args[i], cap, "argument");
	}
	check_nested(d, args);
}

START_TEST(test_no_vmm_address)
{
	each_row(check_addresses);
	ck_assert_uint_gt(pointers_checked, 250);
	ck_assert_uint_gt(nested_checked, 20);
	ck_assert_uint_eq(forwarded, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("table");
	TCase *c = tcase_create("lint"), *a = tcase_create("addresses");

	tcase_add_test(c, test_rows);
	tcase_add_test(c, test_variants_unique);
	tcase_add_test(c, test_ioctl_sizes);
	tcase_add_test(c, test_every_number);
	tcase_add_test(c, test_lookup);
	suite_add_tcase(s, c);
	tcase_set_timeout(a, 60);
	tcase_add_checked_fixture(a, guest_setup, guest_teardown);
	tcase_add_test(a, test_no_vmm_address);
	suite_add_tcase(s, a);
	return unit_run(s);
}
