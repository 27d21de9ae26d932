/*
 * The loader against Linux: files that are damaged in one place each, and scripts of every shape, are executed natively
 * and loaded here; error numbers and arguments must agree. And the initial stack, and the recorded parameters.
 */
#include <check.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "syscall-emu/loader_int.h"
#include "tests/unit/unit.h"
#include "tests/unit/vm_double.h"
#include "trace/event.h"
#include "vmm/cleanup.h"

static struct process proc;
static struct task task;
static struct guest_regs regs;
static struct exec_params x;
static char dir[] = "/tmp/sandrec-loader-XXXXXX", prog[64], why[256];

/* ---- a session that opens files like the recorder's ---- */

static int open_image(struct session *s, struct exec_params *p, unsigned index, const char *path)
{
	struct stat st;
	int fd;

	(void)s, (void)p, (void)index;
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
		return -errno;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		close(fd);
		return -EACCES;
	}
	return fd < 0 ? -errno : fd;
}

static const struct session_ops ops = { .name = "test", .image_file = open_image };
static struct session session = { &ops };

static char **strings(const char *const *v)
{
	char **copy;
	size_t n = 0;

	while (v[n])
		n++;
	copy = calloc(n + 1, sizeof(*copy));
	for (size_t i = 0; i < n; i++)
		copy[i] = strdup(v[i]);
	return copy;
}

static void params(const char *path, const char *const *argv, const char *const *envp)
{
	exec_params_free(&x);
	x = (struct exec_params){ .path = strdup(path), .argv = strings(argv), .envp = strings(envp),
				  .uid = 1, .euid = 1, .gid = 2, .egid = 2, .clktck = 100, .stack_limit = 8 << 20,
				  .minsigstksz = 3632, .hwcap = 7, .hwcap2 = 2, .pid = 77 };
	memset(x.random, 0xab, sizeof(x.random));
}

static void fresh_process(void)
{
	exec_params_free(&x);
	mm_destroy(proc.mm);
	proc = (struct process){ .sess = &session };
	task = (struct task){ .proc = &proc, .regs = &regs };
	ck_assert_int_eq(mm_create(&proc, &proc.mm), 0);
}

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(prog, sizeof(prog), "%s/prog", dir);
	fresh_process();
}

static void teardown(void)
{
	unlink(prog);
	rmdir(dir);
	exec_params_free(&x);
	mm_destroy(proc.mm);
	double_reset();
}

static int load_as(const char *path, const char *const *argv, const char *const *envp)
{
	int rc;

	params(path, argv, envp);
	rc = loader_exec(&task, &x, why, sizeof(why));
	return rc;
}

static int load(const char *path)
{
	return load_as(path, (const char *[]){ path, "one", "two", NULL }, (const char *[]){ "E=1", NULL });
}

/*
 * The errno of a native execve, 0 when the program ran, 9999 when it was killed at its start: Linux had passed the
 * point where execve can fail. out gets what it wrote.
 */
#define KILLED 9999
static int natively(const char *path, char *const *argv, char *out, size_t len)
{
	int err[2], text[2], status, e = 0;
	ssize_t n;
	pid_t pid;

	ck_assert(pipe2(err, O_CLOEXEC) == 0 && pipe(text) == 0);
	pid = fork();
	if (!pid) {
		char *envp[] = { "E=1", NULL };

		dup2(text[1], 1);
		close(text[0]);
		execve(path, argv, envp);
		e = errno;
		if (write(err[1], &e, sizeof(e)) != sizeof(e))
			_exit(1);
		_exit(127);
	}
	close(err[1]);
	close(text[1]);
	if (read(err[0], &e, sizeof(e)) != sizeof(e))
		e = 0;
	close(err[0]);
	n = len ? read(text[0], out, len - 1) : 0;
	if (len)
		out[n > 0 ? n : 0] = '\0';
	close(text[0]);
	waitpid(pid, &status, 0);
	return !e && WIFSIGNALED(status) ? KILLED : e;
}

static void put_named(const char *name, const void *bytes, size_t len, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	fchmod(fd, mode);
	close(fd);
}

static void put_file(const void *bytes, size_t len, mode_t mode)
{
	put_named(prog, bytes, len, mode);
}

/* ---- ELF files damaged in one place ---- */

/* exit(0), at offset 0xc00 of the file */
static const unsigned char exit_code[] = { 0x31, 0xff, 0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05 };

struct tiny {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[4];
	char interp[64];
	unsigned char pad[0x2000];
};

#define BASE 0x400000ULL

static struct tiny tiny_elf(void)
{
	struct tiny t = {
		.eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_EXEC,
			.e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_entry = BASE + 0xc00,
			.e_phoff = offsetof(struct tiny, ph), .e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 3 },
		.ph = {
			{ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = BASE, .p_filesz = 0xd00,
			  .p_memsz = 0xd00, .p_align = 4096 },
			{ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = 0xd00, .p_vaddr = BASE + 0x1d00,
			  .p_filesz = 0x100,
			  .p_memsz = 0x3000, .p_align = 4096 },
			{ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W, .p_align = 16 },
			{ .p_type = PT_NULL },
		},
		.interp = "/lib64/ld-linux-x86-64.so.2",
	};

	memset(t.pad, 0xee, sizeof(t.pad));
	memcpy((char *)&t + 0xc00, exit_code, sizeof(exit_code));
	return t;
}

#define AT(f, v, dies) offsetof(struct tiny, f), sizeof(((struct tiny *)0)->f), v, dies

static const struct { const char *what; size_t off, size; uint64_t value; bool dies; } damages[] = {
	{ "nothing", 0, 0, 0, false },
	{ "magic", AT(eh.e_ident[0], 0x7e, false) },
	{ "relocatable", AT(eh.e_type, ET_REL, false) },
	{ "core", AT(eh.e_type, ET_CORE, false) },
	{ "other machine", AT(eh.e_machine, EM_AARCH64, false) },
	{ "header entry size", AT(eh.e_phentsize, 55, false) },
	{ "no headers", AT(eh.e_phnum, 0, false) },
	{ "too many headers", AT(eh.e_phnum, 2000, false) },
	{ "headers behind the end", AT(eh.e_phoff, 0x100000, false) },
	{ "headers far away", AT(eh.e_phoff, 0xffffffffffff0000ULL, false) },
	{ "no class", AT(eh.e_ident[EI_CLASS], 0, false) },
	{ "entry outside", AT(eh.e_entry, 0xffffffffff000000ULL, false) },
	{ "file size above memory size", AT(ph[0].p_filesz, 0x2000, false) },
	{ "huge memory size", AT(ph[1].p_memsz, 0xffffffffffffff00ULL, false) },
	{ "memory size above the address space", AT(ph[1].p_memsz, 0x7fffffff0000ULL, false) },
	{ "misplaced offset", AT(ph[1].p_offset, 0xd01, false) },
	{ "overlapping segments", AT(ph[1].p_vaddr, BASE + 0xd00, true) },
	{ "no loadable segment", AT(ph[0].p_type, PT_NOTE, true) },
	{ "large alignment", AT(ph[0].p_align, 0x200000, false) },
	{ "odd alignment", AT(ph[0].p_align, 12345, false) },
	{ "segment without file bytes", AT(ph[1].p_filesz, 0, false) },
	{ "read-only segment with zeros", AT(ph[1].p_flags, PF_R, false) },
	{ "interpreter named too shortly", AT(ph[2].p_type, PT_INTERP, false) },
	{ "executable stack", AT(ph[2].p_flags, PF_R | PF_W | PF_X, false) },
	{ "no stack header", AT(ph[2].p_type, PT_NULL, false) },
	{ "position independent", AT(eh.e_type, ET_DYN, false) },
};

/* dies: loads, and its first instruction is the last. */
static void compare(const char *what, bool dies)
{
	char *argv[] = { prog, "one", "two", NULL };
	int want = natively(prog, argv, NULL, 0), got = load(prog);

	if (want == KILLED)
		ck_assert_msg((got == 0) == dies, "%s: %d, Linux kills it", what, got);
	else
		ck_assert_msg(got == -want, "%s: %s (%s), Linux: %s", what, strerror(-got), why, strerror(want));
}

START_TEST(test_damaged)
{
	struct tiny t = tiny_elf();

	memcpy((char *)&t + damages[_i].off, &damages[_i].value, damages[_i].size);
	put_file(&t, sizeof(t), 0700);
	compare(damages[_i].what, damages[_i].dies);
}
END_TEST

static const struct { const char *what, *interp; size_t size; } interps[] = {
	{ "missing interpreter", "/nonexistent/ld.so", 19 },
	{ "directory as interpreter", "/tmp", 5 },
	{ "text as interpreter", "/etc/passwd", 12 },
	{ "device as interpreter", "/dev/null", 10 },
	{ "name without end", "/lib64/ld-linux-x86-64.so.2", 20 },
	{ "name of one byte", "/", 1 },
	{ "name too long", "/", 5000 },
	{ "a file in place of a directory", "/etc/passwd/x", 14 },
};

START_TEST(test_interp)
{
	struct tiny t = tiny_elf();

	memset(t.interp, 0, sizeof(t.interp));
	strcpy(t.interp, interps[_i].interp);
	t.ph[2] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_offset = offsetof(struct tiny, interp),
				.p_filesz = interps[_i].size,
				.p_memsz = interps[_i].size };
	put_file(&t, sizeof(t), 0700);
	compare(interps[_i].what, false);
}
END_TEST

START_TEST(test_short_files)
{
	struct tiny t = tiny_elf();
	static const size_t sizes[] = { 0, 1, 4, 63, 64, 100, 200, 0xc00, 0xd00 };

	put_file(&t, sizes[_i], 0700);
	compare("cut file", sizes[_i] == 0xc00);
}
END_TEST

START_TEST(test_permissions)
{
	struct tiny t = tiny_elf();
	char *argv[] = { prog, NULL };

	put_file(&t, sizeof(t), 0600);
	compare("not executable", false);
	ck_assert_int_eq(load("/tmp"), -natively("/tmp", argv, NULL, 0));
	ck_assert_int_eq(load("/nonexistent"), -ENOENT);
	ck_assert_int_eq(load("/etc/passwd/x"), -ENOTDIR);
}
END_TEST

/* Zeros behind the file's bytes, in the same page and in those after it; nothing of the file shows there. */
START_TEST(test_bss)
{
	struct tiny t = tiny_elf();
	uint64_t data = BASE + 0x1d00, start, end;

	put_file(&t, sizeof(t), 0700);
	ck_assert_int_eq(load(prog), 0);
	ck_assert_int_eq(*(unsigned char *)data, 0xee);
	for (uint64_t a = data + 0x100; a < BASE + 0x5000; a++)
		ck_assert_int_eq(*(unsigned char *)a, 0);
	ck_assert_int_eq(*(unsigned char *)(BASE + 0x1000 - 1), 0xee);
	mm_heap(proc.mm, &start, &end);
	ck_assert_uint_eq(start, BASE + 0x5000);
	ck_assert_uint_eq(regs.rip, BASE + 0xc00);
	ck_assert_uint_eq(regs.rflags, 0x202);
	ck_assert_uint_eq(regs.rsp & 15, 0);
	ck_assert_uint_eq(proc.start_code, BASE);
	ck_assert_uint_eq(proc.end_code, BASE + 0xd00);
	ck_assert_str_eq(proc.comm, "prog");
	ck_assert_str_eq(proc.exe, prog);
	ck_assert_int_eq(mm_find(proc.mm, regs.rsp)->prot, PROT_READ | PROT_WRITE);
	ck_assert_int_eq(mm_find(proc.mm, GUEST_VDSO)->prot, PROT_READ | PROT_EXEC);
}
END_TEST

START_TEST(test_pie)
{
	struct tiny t = tiny_elf();

	t.eh.e_type = ET_DYN;
	t.ph[0].p_align = PAGE_SIZE_2M;
	t.eh.e_entry -= BASE;
	t.ph[0].p_vaddr -= BASE;
	t.ph[1].p_vaddr -= BASE;
	t.ph[2].p_flags |= PF_X;
	put_file(&t, sizeof(t), 0700);
	ck_assert_int_eq(load(prog), 0);
	ck_assert_uint_eq(regs.rip, GUEST_PIE_BASE + 0xc00);
	ck_assert_int_eq(mm_find(proc.mm, regs.rsp)->prot, PROT_READ | PROT_WRITE | PROT_EXEC);
}
END_TEST

/* ---- scripts ---- */

#define DASHES "--------------------------------------------------------------------------------"
#define LONG_NAME "/bin/echo" DASHES DASHES DASHES "----"

static const char *const scripts[] = {
	"#!/bin/echo\n", "#! /bin/echo\n", "#!\t /bin/echo \t\n", "#!/bin/echo", "#!/bin/echo a b  c \n",
			"#!/bin/echo -z x\t\n",
	"#!\n", "#! \n", "#!", "#!   ", "#", "", "#!/nonexistent\n", "#!/tmp\n", "#!/etc/passwd\n", "#!" LONG_NAME "\n",
	"#!/bin/echo " LONG_NAME LONG_NAME "\n", "#!" LONG_NAME LONG_NAME, "#!/bin/echo \n#!/bin/false\n", "#!echo\n",
			"plain text\n",
	"#!/bin/echo a" "\t" "b\n",
};

START_TEST(test_script)
{
	char *argv[] = { prog, "one", "two", NULL }, out[4096] = "";
	int want, got;

	put_file(scripts[_i], strlen(scripts[_i]), 0700);
	want = natively(prog, argv, out, sizeof(out));
	got = load(prog);
	ck_assert_msg(got == -want, "script %d: %s, Linux: %s", _i, strerror(-got), strerror(want));
	if (got == 0) {
		const uint64_t *sp = (const uint64_t *)regs.rsp;
		cleanup_free char *line = NULL;
		size_t size;
		FILE *f = open_memstream(&line, &size);

		for (uint64_t i = 1; i < sp[0]; i++)
			fprintf(f, "%s%s", i > 1 ? " " : "", (char *)sp[1 + i]);
		fclose(f);
		out[strcspn(out, "\n")] = '\0';
		ck_assert_str_eq(line, out);
	}
}
END_TEST

/* Scripts whose interpreters are scripts, up to where Linux stops. */
START_TEST(test_nested)
{
	char name[128], text[160];

	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "%s%d", prog, i);
		snprintf(text, sizeof(text), i ? "#!%s%d\n" : "#!/bin/true\n", prog, i - 1);
		put_named(name, text, strlen(text), 0700);
	}
	for (int i = 0; i < 8; i++) {
		char *argv[] = { name, NULL };
		int want, got;

		snprintf(name, sizeof(name), "%s%d", prog, i);
		want = natively(name, argv, NULL, 0);
		fresh_process();
		got = load(name);
		ck_assert_msg(got == -want, "depth %d: %s, Linux: %s", i + 1, strerror(-got), strerror(want));
	}
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "%s%d", prog, i);
		unlink(name);
	}
}
END_TEST

/* ---- the initial stack ---- */

START_TEST(test_stack)
{
	static const uint64_t order[] = {
		AT_SYSINFO_EHDR, 51, AT_HWCAP, AT_PAGESZ, AT_CLKTCK, AT_PHDR, AT_PHENT, AT_PHNUM, AT_BASE, AT_FLAGS,
		AT_ENTRY, AT_UID, AT_EUID, AT_GID, AT_EGID, AT_SECURE, AT_RANDOM, AT_HWCAP2, AT_EXECFN,
		AT_PLATFORM, AT_NULL,
	};
	const uint64_t *sp, *aux;
	size_t i;

	ck_assert_int_eq(load("/bin/true"), 0);
	sp = (const uint64_t *)regs.rsp;
	ck_assert_uint_eq(sp[0], 3);
	ck_assert_str_eq((char *)sp[1], "/bin/true");
	ck_assert_str_eq((char *)sp[3], "two");
	ck_assert_uint_eq(sp[4], 0);
	ck_assert_str_eq((char *)sp[5], "E=1");
	ck_assert_uint_eq(sp[6], 0);
	aux = sp + 7;
	ck_assert_uint_eq((uint64_t)aux, proc.auxv);
	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		ck_assert_uint_eq(aux[2 * i], order[i]);
	ck_assert_uint_eq(proc.auxv_len, 16 * i);
	ck_assert_uint_eq(aux[1], GUEST_VDSO);
	ck_assert_int_eq(memcmp((void *)GUEST_VDSO, ELFMAG, 4), 0);
	ck_assert_uint_eq(aux[2 * 5 + 1], GUEST_PIE_BASE + 64);
	ck_assert_int_eq(memcmp((void *)aux[2 * 8 + 1], ELFMAG, 4), 0);
	ck_assert_uint_ne(aux[2 * 10 + 1], regs.rip);
	ck_assert_int_eq(memcmp((void *)aux[2 * 16 + 1], x.random, 16), 0);
	ck_assert_str_eq((char *)aux[2 * 18 + 1], "/bin/true");
	ck_assert_str_eq((char *)aux[2 * 19 + 1], "x86_64");
	ck_assert_str_eq((char *)proc.arg_start, "/bin/true");
	ck_assert_uint_eq(proc.env_start, proc.arg_end);
	ck_assert_str_eq((char *)proc.env_start, "E=1");
	ck_assert_uint_eq(aux[2 * 18 + 1] + sizeof("/bin/true"), GUEST_STACK_TOP - 8);
	ck_assert_uint_eq(x.nfiles, 2);
	ck_assert_uint_ne(x.file[1].ino, 0);
}
END_TEST

START_TEST(test_empty_argv)
{
	const uint64_t *sp;

	ck_assert_int_eq(load_as("/bin/true", (const char *[]){ NULL }, (const char *[]){ NULL }), 0);
	sp = (const uint64_t *)regs.rsp;
	ck_assert_uint_eq(sp[0], 1);
	ck_assert_str_eq((char *)sp[1], "");
	ck_assert_uint_eq(sp[2], 0);
	ck_assert_uint_eq(sp[3], 0);
}
END_TEST

/* Lengths around Linux's limits: one string, and all of them. */
START_TEST(test_too_long)
{
	static const struct { size_t len, count; } sizes[] = { { 131070, 1 }, { 131071, 1 }, { 131072, 1 },
							       { 100000, 20 },
							       { 100000, 22 }, { 1, 100000 }, { 1, 300000 } };
	char **argv = calloc(sizes[_i].count + 2, sizeof(*argv)), *big = malloc(sizes[_i].len + 1);
	int want, got;

	memset(big, 'x', sizes[_i].len);
	big[sizes[_i].len] = '\0';
	argv[0] = "/bin/true";
	for (size_t i = 0; i < sizes[_i].count; i++)
		argv[i + 1] = big;
	want = natively("/bin/true", argv, NULL, 0);
	got = load_as("/bin/true", (const char *const *)argv, (const char *[]){ "E=1", NULL });
	ck_assert_msg(got == -want, "%zu of %zu bytes: %s, Linux: %s", sizes[_i].count, sizes[_i].len, strerror(-got),
		      strerror(want));
	free(big);
	free(argv);
}
END_TEST

/* ---- parameters in the trace ---- */

START_TEST(test_params)
{
	cleanup_free void *blob = NULL, *again = NULL;
	struct exec_params y;
	uint32_t len, len2;

	ck_assert_int_eq(load("/bin/true"), 0);
	ck_assert_int_eq(exec_params_encode(&x, &blob, &len), 0);
	ck_assert_int_eq(exec_params_decode(blob, len, &y), 0);
	ck_assert_str_eq(y.argv[2], "two");
	ck_assert_ptr_null(y.argv[3]);
	ck_assert_str_eq(y.file[1].path, x.file[1].path);
	ck_assert_int_eq(exec_params_encode(&y, &again, &len2), 0);
	ck_assert_uint_eq(len, len2);
	ck_assert_int_eq(memcmp(blob, again, len), 0);
	exec_params_free(&y);
	/* Cut anywhere, or with any byte changed: an error or something that encodes again, never more. */
	for (uint32_t i = 0; i < len; i++)
		ck_assert_int_eq(exec_params_decode(blob, i, &y), -EBADMSG);
	for (uint32_t i = 0; i < len; i++) {
		unsigned char *b = blob, was = b[i];

		b[i] ^= 0xff;
		if (exec_params_decode(blob, len, &y) == 0)
			exec_params_free(&y);
		b[i] = was;
	}
	ck_assert_int_eq(exec_params_decode(NULL, 0, &y), -EBADMSG);
	ck_assert_int_eq(exec_params_decode(blob, EVENT_ANNEX_MAX + 1, &y), -EBADMSG);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

int main(int argc, char **argv)
{
	Suite *s = suite_create("loader");
	TCase *c = tcase_create("loader");

	(void)argc;
	double_no_randomisation(argv);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 30);
	tcase_add_loop_test(c, test_damaged, 0, COUNT(damages));
	tcase_add_loop_test(c, test_interp, 0, COUNT(interps));
	tcase_add_loop_test(c, test_short_files, 0, 9);
	tcase_add_test(c, test_permissions);
	tcase_add_test(c, test_bss);
	tcase_add_test(c, test_pie);
	tcase_add_loop_test(c, test_script, 0, COUNT(scripts));
	tcase_add_test(c, test_nested);
	tcase_add_test(c, test_stack);
	tcase_add_test(c, test_empty_argv);
	tcase_add_loop_test(c, test_too_long, 0, 7);
	tcase_add_test(c, test_params);
	suite_add_tcase(s, c);
	return unit_run(s);
}
