/* The kernel's half of the sandbox. Contract: confine.h. Sources: landlock(7), seccomp(2), capabilities(7). */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "record/confine.h"
#include "syscall-emu/sysdesc.h"
#include "vmm/cleanup.h"

/* Of Linux 6.12; headers may be older. */
#ifndef LANDLOCK_SCOPE_SIGNAL
#define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define LANDLOCK_SCOPE_SIGNAL (1ULL << 1)
#endif
#ifndef LANDLOCK_ACCESS_NET_BIND_TCP
#define LANDLOCK_ACCESS_NET_BIND_TCP (1ULL << 0)
#define LANDLOCK_ACCESS_NET_CONNECT_TCP (1ULL << 1)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

#define ABI_MIN 3 /* truncation is kept in, too */
#define ABI_NET 4
#define ABI_SCOPE 6

#define WRITING (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
		 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | \
		 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | \
		 LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER | LANDLOCK_ACCESS_FS_TRUNCATE)
#define WRITING_FILE (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)

/* As the kernel of the scopes has it; older ones take the first field or two. */
struct ruleset {
	uint64_t fs, net, scoped;
};

static int failed(char *why, size_t len, const char *what)
{
	int rc = -errno;

	snprintf(why, len, "%s: %s", what, strerror(errno));
	return rc;
}

static long landlock_abi(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

int confine_check(struct sandbox *s, char *why, size_t len)
{
	long abi = landlock_abi();

	if (abi < ABI_MIN) {
		snprintf(why, len, "--sandbox=strict takes Landlock with ABI %d (Linux 6.2), this kernel has %s", ABI_MIN,
			 abi < 0 ? "none, or it is turned off" : "an older one");
		return -EOPNOTSUPP;
	}
	s->signals = abi >= ABI_SCOPE;
	return 0;
}

/* ---- Landlock ---- */

static int add_path(int ruleset, const char *path, uint64_t access)
{
	cleanup_close int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr a = { .allowed_access = access, .parent_fd = fd };

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &a, 0) < 0 ? -errno : 0;
}

static int add_rules(const struct sandbox *s, int ruleset)
{
	static const char *const devices[] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/tty" };
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < s->nrw; i++) {
		rc = add_path(ruleset, s->rw[i], WRITING);
		if (rc == -EINVAL) /* a file, not a directory */
			rc = add_path(ruleset, s->rw[i], WRITING_FILE);
	}
	for (size_t i = 0; rc == 0 && i < sizeof(devices) / sizeof(devices[0]); i++)
		rc = add_path(ruleset, devices[i], WRITING_FILE);
	return rc;
}

static int restrict_files(const struct sandbox *s, char *why, size_t len)
{
	long abi = landlock_abi();
	struct ruleset r = { .fs = WRITING };
	size_t size = sizeof(r.fs);

	if (abi >= ABI_NET) {
		size += sizeof(r.net);
		r.net = s->net ? 0 : LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP;
	}
	if (abi >= ABI_SCOPE) {
		size += sizeof(r.scoped);
		r.scoped = LANDLOCK_SCOPE_SIGNAL | (s->net ? 0 : LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET);
	}
	cleanup_close int fd = (int)syscall(SYS_landlock_create_ruleset, &r, size, 0);

	if (fd < 0)
		return failed(why, len, "Landlock");
	errno = -add_rules(s, fd);
	if (errno || syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return failed(why, len, "Landlock");
	return 0;
}

/* ---- capabilities ---- */

static int drop_capabilities(char *why, size_t len)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 } };

	/* Those that need CAP_SETPCAP fail without it, and then there is nothing to drop. */
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
	      SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &h, none) < 0 ? failed(why, len, "capset") : 0;
}

/* ---- seccomp ---- */

/* What the VMM itself does, whatever its guest may: it reads and writes the guest's memory, and compares descriptors. */
static bool vmm_needs(unsigned nr)
{
	return nr == SYS_process_vm_readv || nr == SYS_process_vm_writev || nr == SYS_kcmp;
}

/* The table's numbers, without what is refused there, always or by the sandbox. */
static bool kernel_allows(const struct sandbox *s, unsigned nr)
{
	const struct sys_desc *d = sys_row(nr);

	if (vmm_needs(nr))
		return true;
	return d && !sandbox_refuses_number(s, nr) && (!d->refuse || d->variants);
}

#define PROGRAM_MAX 1024
struct program {
	struct sock_filter f[PROGRAM_MAX];
	unsigned short n;
};

static void put(struct program *p, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	if (p->n < PROGRAM_MAX)
		p->f[p->n++] = (struct sock_filter){ code, yes, no, k };
}

/* A comparison for each run of allowed numbers: some sixty, in the kernel's cache for calls without arguments. */
static void put_numbers(struct program *p, const struct sandbox *s)
{
	for (unsigned nr = 0; nr < SYS_TABLE_SIZE;) {
		unsigned from;

		while (nr < SYS_TABLE_SIZE && !kernel_allows(s, nr))
			nr++;
		from = nr;
		while (nr < SYS_TABLE_SIZE && kernel_allows(s, nr))
			nr++;
		if (from == nr)
			break;
		put(p, BPF_JMP | BPF_JGE | BPF_K, from, 0, 2);
		put(p, BPF_JMP | BPF_JGE | BPF_K, nr, 1, 0);
		put(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
	}
	put(p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
}

static int filter_calls(const struct sandbox *s, char *why, size_t len)
{
	static struct program p;
	struct sock_fprog prog = { .filter = p.f };

	p.n = 0;
	put(&p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
	put(&p, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	put(&p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
	put(&p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
	put_numbers(&p, s);
	prog.len = p.n;
	if (p.n == PROGRAM_MAX) {
		errno = E2BIG;
		return failed(why, len, "seccomp");
	}
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0 ? failed(why, len, "seccomp") : 0;
}

int confine(const struct sandbox *s, char *why, size_t len)
{
	int rc;

	if (!s->strict)
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return failed(why, len, "no_new_privs");
	rc = restrict_files(s, why, len);
	if (rc == 0)
		rc = drop_capabilities(why, len);
	return rc == 0 ? filter_calls(s, why, len) : rc;
}
