/*
 * escapes OUTSIDE INSIDE: tries to get out of `sandrec run --sandbox=strict --rw=INSIDE`. OUTSIDE holds a file `victim` and an
 * empty directory `empty`, which must be left as they are. Prints a line for each attempt, and `ESCAPED` in it when it
 * did not fail as it should. The arguments are such that an attempt that is let through does little harm.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/keyctl.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define VMM 0x7ffff7000000ULL /* where the recorder's own memory is */
#define HIDDEN_FDS 66000

static unsigned attempts, escaped;

/* wanted: an errno, or 0 for any. */
static void check(const char *name, long result, int error, int wanted)
{
	bool out = result >= 0 || (wanted && error != wanted);

	attempts++;
	escaped += out;
	printf("%s: %s%s\n", name, result < 0 ? strerrorname_np(error) : "done", out ? " ESCAPED" : "");
}

#define TRY(name, wanted, ...) \
	do { \
		errno = 0; \
		long result_ = (long)(__VA_ARGS__); \
		check(name, result_, errno, wanted); \
	} while (0)

static char outside[512], inside[512], path_a[1100], path_b[1100];

static const char *in(char *buf, const char *dir, const char *name)
{
	snprintf(buf, sizeof(path_a), "%s/%s", dir, name);
	return buf;
}

#define OUT(name) in(path_a, outside, name)
#define IN(name) in(path_b, inside, name)

static void network(void)
{
	static const struct {
		const char *name;
		int family, type;
	} s[] = {
		{ "socket inet", AF_INET, SOCK_STREAM }, { "socket inet datagram", AF_INET, SOCK_DGRAM },
		{ "socket inet6", AF_INET6, SOCK_STREAM }, { "socket raw", AF_INET, SOCK_RAW },
		{ "socket unix", AF_UNIX, SOCK_STREAM }, { "socket netlink", AF_NETLINK, SOCK_RAW },
		{ "socket packet", AF_PACKET, SOCK_RAW }, { "socket vsock", AF_VSOCK, SOCK_STREAM },
		{ "socket alg", AF_ALG, SOCK_SEQPACKET },
	};

	for (size_t i = 0; i < sizeof(s) / sizeof(s[0]); i++)
		TRY(s[i].name, EPERM, socket(s[i].family, s[i].type, 0));
	TRY("io_uring_setup", 0, syscall(SYS_io_uring_setup, 1, NULL));
	TRY("io_setup", 0, syscall(SYS_io_setup, 1, NULL));
}

static void writing(void)
{
	struct open_how how = { .flags = O_WRONLY };
	int dir = open(outside, O_RDONLY | O_DIRECTORY);
	char by_root[1200];

	TRY("open to write", EPERM, open(OUT("victim"), O_WRONLY));
	TRY("open to read and write", EPERM, open(OUT("victim"), O_RDWR));
	TRY("open to append", EPERM, open(OUT("victim"), O_WRONLY | O_APPEND));
	TRY("open to truncate", EPERM, open(OUT("victim"), O_RDONLY | O_TRUNC));
	TRY("open a new file", EPERM, open(OUT("new"), O_WRONLY | O_CREAT, 0600));
	TRY("open a nameless file", EPERM, open(outside, O_WRONLY | O_TMPFILE, 0600));
	TRY("creat", EPERM, creat(OUT("new"), 0600));
	TRY("openat by a directory", EPERM, openat(dir, "victim", O_WRONLY));
	TRY("openat2", EPERM, syscall(SYS_openat2, dir, "victim", &how, sizeof(how)));
	TRY("open by ..", EPERM, open(IN("../outside/victim"), O_WRONLY));
	snprintf(by_root, sizeof(by_root), "/proc/self/root%s", OUT("victim"));
	TRY("open by /proc/self/root", EPERM, open(by_root, O_WRONLY));
	TRY("truncate", EPERM, truncate(OUT("victim"), 0));
	TRY("unlink", EPERM, unlink(OUT("victim")));
	TRY("unlinkat", EPERM, unlinkat(dir, "victim", 0));
	TRY("rmdir", EPERM, rmdir(OUT("empty")));
	TRY("mkdir", EPERM, mkdir(OUT("made"), 0700));
	TRY("mkfifo", EPERM, mknod(OUT("fifo"), S_IFIFO | 0600, 0));
	TRY("mknod in a place that may be written", 0, mknod(IN("device"), S_IFCHR | 0600, 0x0101));
	TRY("symlink", EPERM, symlink("/", OUT("link")));
	TRY("rename", EPERM, rename(OUT("victim"), IN("victim")));
	TRY("renameat2", EPERM, renameat2(dir, "victim", dir, "empty", RENAME_EXCHANGE));
	TRY("link a file into a place that may be written", EPERM, link(OUT("victim"), IN("hard")));
	if (symlink(OUT("victim"), IN("soft")) < 0)
		perror("symlink");
	TRY("open by a symbolic link", EPERM, open(IN("soft"), O_WRONLY));
	TRY("chmod", EPERM, chmod(OUT("victim"), 0666));
	TRY("chown", EPERM, chown(OUT("victim"), getuid(), getgid()));
	TRY("utimensat", EPERM, utimensat(dir, "victim", NULL, 0));
	TRY("setxattr", EPERM, setxattr(OUT("victim"), "user.x", "y", 1, 0));
}

static void by_descriptor(void)
{
	int fd = open(OUT("victim"), O_RDONLY), flags = FS_NOATIME_FL;
	char again[64];

	snprintf(again, sizeof(again), "/proc/self/fd/%d", fd);
	TRY("open again by /proc/self/fd", EPERM, open(again, O_RDWR));
	TRY("fchmod", EPERM, fchmod(fd, 0666));
	TRY("fchown", EPERM, fchown(fd, getuid(), getgid()));
	TRY("futimens", EPERM, futimens(fd, NULL));
	TRY("fsetxattr", EPERM, fsetxattr(fd, "user.x", "y", 1, 0));
	TRY("file flags", EPERM, ioctl(fd, FS_IOC_SETFLAGS, &flags));
	TRY("write to a descriptor for reading", EBADF, write(fd, "x", 1));
	close(fd);
}

static void proc_and_dev(void)
{
	char name[64];
	int fd = open("/proc/self/mem", O_RDWR);

	TRY("/proc/self/mem: the recorder's memory", 0, fd < 0 ? -1 : pwrite(fd, "x", 1, (off_t)VMM));
	snprintf(name, sizeof(name), "/proc/%d/mem", getppid());
	TRY("/proc/PARENT/mem", 0, open(name, O_RDWR));
	snprintf(name, sizeof(name), "/proc/%d/oom_score_adj", getppid());
	TRY("/proc/PARENT/oom_score_adj", EPERM, open(name, O_WRONLY));
	TRY("/proc/sys", EPERM, open("/proc/sys/kernel/hostname", O_WRONLY));
	TRY("/sys", EPERM, open("/sys/kernel/mm/ksm/run", O_WRONLY));
	TRY("/dev/kvm", EPERM, open("/dev/kvm", O_RDWR));
	TRY("/dev/mem", EPERM, open("/dev/mem", O_RDWR));
	TRY("TIOCSTI", 0, ioctl(0, TIOCSTI, "x"));
}

static void processes(void)
{
	char c = 'x';
	struct iovec mine = { &c, 1 }, theirs = { (void *)(uintptr_t)VMM, 1 };
	pid_t parent = getppid();

	TRY("ptrace: attach", 0, ptrace(PTRACE_ATTACH, parent, NULL, NULL));
	TRY("ptrace: seize", 0, ptrace(PTRACE_SEIZE, parent, NULL, NULL));
	TRY("process_vm_writev: parent", 0, process_vm_writev(parent, &mine, 1, &theirs, 1, 0));
	TRY("process_vm_writev: the recorder's memory", 0, process_vm_writev(getpid(), &mine, 1, &theirs, 1, 0));
	TRY("process_vm_readv: the recorder's memory", 0, process_vm_readv(getpid(), &mine, 1, &theirs, 1, 0));
	TRY("pidfd_open", EPERM, syscall(SYS_pidfd_open, parent, 0));
	TRY("pidfd_getfd", 0, syscall(SYS_pidfd_getfd, 3, 0, 0));
	TRY("kcmp", 0, syscall(SYS_kcmp, getpid(), parent, 0, 0, 0));
	TRY("kill the parent", EPERM, kill(parent, SIGUSR1));
	TRY("kill process 1", EPERM, kill(1, 0));
	TRY("tgkill the parent", EPERM, syscall(SYS_tgkill, parent, parent, SIGUSR1));
}

static void system_wide(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct all[2] = { { ~0u, ~0u, ~0u }, { ~0u, ~0u, ~0u } };
	struct timeval now = { 0 };
	struct timex tx = { 0 };
	uint64_t clone3[11] = { CLONE_NEWNS };
	char handle[128] = { 8 };

	TRY("mount", 0, mount("none", outside, "tmpfs", 0, NULL));
	TRY("umount", 0, umount2(outside, 0));
	TRY("pivot_root", 0, syscall(SYS_pivot_root, inside, inside));
	TRY("chroot", 0, chroot(inside));
	TRY("fsopen", EPERM, syscall(SYS_fsopen, "tmpfs", 0));
	TRY("unshare: user", 0, unshare(CLONE_NEWUSER));
	TRY("unshare: mounts", 0, unshare(CLONE_NEWNS));
	TRY("setns", 0, setns(open("/proc/self/ns/net", O_RDONLY), 0));
	TRY("clone: user namespace", 0, syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
	TRY("clone3: mount namespace", 0, syscall(SYS_clone3, clone3, sizeof(clone3)));
	TRY("bpf", EPERM, syscall(SYS_bpf, BPF_MAP_CREATE, NULL, 0));
	TRY("perf_event_open", EPERM, syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
	TRY("userfaultfd", 0, syscall(SYS_userfaultfd, 0));
	TRY("keyctl", 0, syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 1));
	TRY("add_key", 0, syscall(SYS_add_key, "user", "sandrec", "x", 1, KEY_SPEC_SESSION_KEYRING));
	TRY("init_module", 0, syscall(SYS_init_module, NULL, 0, ""));
	TRY("kexec_load", 0, syscall(SYS_kexec_load, 0, 0, NULL, 0));
	TRY("reboot", 0, syscall(SYS_reboot, 0, 0, 0, 0));
	TRY("swapon", 0, syscall(SYS_swapon, "/nowhere", 0));
	TRY("settimeofday", 0, (gettimeofday(&now, NULL), settimeofday(&now, NULL)));
	TRY("adjtimex", 0, (tx.modes = ADJ_OFFSET, adjtimex(&tx)));
	TRY("sethostname", 0, sethostname("escaped", 7));
	TRY("iopl", 0, syscall(SYS_iopl, 3));
	TRY("ioperm", 0, syscall(SYS_ioperm, 0, 1, 1));
	TRY("acct", 0, acct(NULL));
	TRY("syslog", 0, syscall(SYS_syslog, 3, handle, sizeof(handle)));
	TRY("quotactl", 0, syscall(SYS_quotactl, 0, "/", 0, NULL));
	TRY("fanotify", 0, fanotify_init(FAN_CLASS_NOTIF, O_RDONLY));
	TRY("open_by_handle_at", 0, syscall(SYS_open_by_handle_at, AT_FDCWD, handle, O_RDWR));
	TRY("shmget", EPERM, syscall(SYS_shmget, 0x5a5a, 4096, 01666));
	TRY("mq_open", EPERM, syscall(SYS_mq_open, "sandrec-escape", O_CREAT | O_RDWR, 0600, NULL));
	TRY("capset", EPERM, syscall(SYS_capset, &h, all));
	TRY("an unknown call", EPERM, syscall(1000));
	TRY("an unknown ioctl", EPERM, ioctl(open("/dev/null", O_RDONLY), 0xc0ffee42, NULL));
}

static void pointers(void)
{
	char name[] = "/etc/passwd";
	int fd = open(name, O_RDONLY), null = open("/dev/null", O_WRONLY);
	struct iovec v = { (void *)(uintptr_t)VMM, 16 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || send(pair[0], "x", 1, 0) != 1)
		perror("socketpair");
	TRY("read into the recorder", EFAULT, read(fd, (void *)(uintptr_t)VMM, 16));
	TRY("readv into the recorder", EFAULT, readv(fd, &v, 1));
	TRY("recvmsg into the recorder", EFAULT, recvmsg(pair[1], &m, MSG_DONTWAIT));
	TRY("write from the recorder", EFAULT, write(pair[0], (void *)(uintptr_t)VMM, 16));
	TRY("stat into the recorder", EFAULT, syscall(SYS_stat, name, (void *)(uintptr_t)VMM));
	TRY("mmap over the recorder", 0,
	    mmap((void *)(uintptr_t)VMM, 4096, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
		    MAP_FAILED ? -1 : 0);
	TRY("mprotect the recorder", 0, mprotect((void *)(uintptr_t)VMM, 4096, PROT_READ | PROT_WRITE | PROT_EXEC));
	TRY("munmap the recorder", 0, munmap((void *)(uintptr_t)VMM, 4096));
	for (int i = 0, closed = 0; i < HIDDEN_FDS; i++) {
		if (i > 2 && i != fd && i != null && close(i) == 0)
			closed++;
		if (i == HIDDEN_FDS - 1)
			TRY("close the recorder's descriptors", 0, closed > 64 ? 0 : (errno = EBADF, -1));
	}
	TRY("write to a descriptor of the recorder", EBADF, write(1000, "x", 1));
}

/* ---- races ---- */

static atomic_bool over;
static struct iovec shared;
static char good[16];

static void *flip(void *arg)
{
	while (!atomic_load(&over)) {
		*(void *volatile *)&shared.iov_base = (void *)(uintptr_t)VMM;
		*(void *volatile *)&shared.iov_base = good;
	}
	return arg;
}

/* Whatever it gets to see, it must be the guest's own memory or an error; the recorder is none the worse afterwards. */
static void races(void)
{
	int fd = open("/dev/zero", O_RDONLY), wrong = 0;
	pthread_t t;

	shared = (struct iovec){ good, sizeof(good) };
	if (pthread_create(&t, NULL, flip, NULL))
		abort();
	for (int i = 0; i < 300; i++) {
		ssize_t n = readv(fd, &shared, 1);

		wrong += n != sizeof(good) && !(n < 0 && errno == EFAULT);
	}
	atomic_store(&over, true);
	pthread_join(t, NULL);
	TRY("readv while another thread changes the address", EFAULT, wrong ? 0 : (errno = EFAULT, -1));
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	snprintf(outside, sizeof(outside), "%s", argv[1]);
	snprintf(inside, sizeof(inside), "%s", argv[2]);
	setvbuf(stdout, NULL, _IONBF, 0);
	network();
	writing();
	by_descriptor();
	proc_and_dev();
	processes();
	system_wide();
	races();
	pointers();
	printf("%u attempts, %u escaped\n", attempts, escaped);
	return escaped != 0;
}
