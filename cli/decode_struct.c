/* Objects that have a form of their own. Contract: decode.h; layouts are the kernel's. */
#include <arpa/inet.h>
#include <asm/statfs.h>
#include <asm/unistd_64.h>
#include <inttypes.h>
#include <linux/un.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>

#include "cli/decode.h"
#include "syscall-emu/names_sets.h"

#define ELEMENTS_SHOWN 8

typedef bool object_fn(FILE *out, const struct call *c, unsigned i);

static void put_names(FILE *out, const struct sys_names *n, uint64_t v)
{
	char buf[256];

	names_format(n, v, buf, sizeof(buf));
	fputs(buf, out);
}

/* The object before the call for what it reads, after it for what it writes. */
static bool get(const struct call *c, unsigned i, uint32_t kind, void *v, size_t size)
{
	return memory_get(c->mem, c->arg[i], kind, v, size) == size;
}

static bool put_timespec(FILE *out, const struct call *c, unsigned i, uint32_t kind)
{
	struct timespec v;

	if (!get(c, i, kind, &v, sizeof(v)))
		return false;
	if (c->no_times && kind == DATA_MEMORY)
		fputs("TIME", out);
	else
		fprintf(out, "{tv_sec=%ld, tv_nsec=%ld}", v.tv_sec, v.tv_nsec);
	return true;
}

static bool timespec_in(FILE *out, const struct call *c, unsigned i)
{
	return put_timespec(out, c, i, DATA_INPUT);
}

static bool timespec_out(FILE *out, const struct call *c, unsigned i)
{
	return put_timespec(out, c, i, DATA_MEMORY);
}

static bool timeval_out(FILE *out, const struct call *c, unsigned i)
{
	struct timeval v;

	if (!get(c, i, DATA_MEMORY, &v, sizeof(v)))
		return false;
	if (c->no_times)
		fputs("TIME", out);
	else
		fprintf(out, "{tv_sec=%ld, tv_usec=%ld}", v.tv_sec, v.tv_usec);
	return true;
}

static bool itimer_in(FILE *out, const struct call *c, unsigned i)
{
	struct itimerval v;

	if (!get(c, i, DATA_INPUT, &v, sizeof(v)))
		return false;
	fprintf(out, "{it_interval={tv_sec=%ld, tv_usec=%ld}, it_value={tv_sec=%ld, tv_usec=%ld}}",
		v.it_interval.tv_sec, v.it_interval.tv_usec, v.it_value.tv_sec, v.it_value.tv_usec);
	return true;
}

static bool stat_out(FILE *out, const struct call *c, unsigned i)
{
	struct stat v;

	if (!get(c, i, DATA_MEMORY, &v, sizeof(v)))
		return false;
	fputs("{st_mode=", out);
	put_names(out, &names_file_mode, v.st_mode);
	if (S_ISCHR(v.st_mode) || S_ISBLK(v.st_mode))
		fprintf(out, ", st_rdev=%#" PRIx64, (uint64_t)v.st_rdev);
	else
		fprintf(out, ", st_size=%" PRId64, (int64_t)v.st_size);
	fputs(", ...}", out);
	return true;
}

static bool rlimit(FILE *out, const struct call *c, unsigned i, uint32_t kind)
{
	struct rlimit v;

	if (!get(c, i, kind, &v, sizeof(v)))
		return false;
	fputs("{rlim_cur=", out);
	fprintf(out, v.rlim_cur == RLIM_INFINITY ? "RLIM_INFINITY" : "%" PRIu64, (uint64_t)v.rlim_cur);
	fputs(", rlim_max=", out);
	fprintf(out, v.rlim_max == RLIM_INFINITY ? "RLIM_INFINITY" : "%" PRIu64, (uint64_t)v.rlim_max);
	fputc('}', out);
	return true;
}

static bool rlimit_in(FILE *out, const struct call *c, unsigned i) { return rlimit(out, c, i, DATA_INPUT); }
static bool rlimit_out(FILE *out, const struct call *c, unsigned i) { return rlimit(out, c, i, DATA_MEMORY); }

static void put_sigset(FILE *out, uint64_t set)
{
	const char *sep = "";
	bool most = __builtin_popcountll(set) > 32;

	fputs(most ? "~[" : "[", out);
	if (most)
		set = ~set;
	for (int sig = 1; sig <= 64; sig++) {
		if (!(set >> (sig - 1) & 1))
			continue;
		fprintf(out, "%s%s", sep, signal_name(sig) + 3);
		sep = " ";
	}
	fputc(']', out);
}

static bool sigset_in(FILE *out, const struct call *c, unsigned i)
{
	uint64_t set;

	if (!get(c, i, DATA_INPUT, &set, sizeof(set)))
		return false;
	put_sigset(out, set);
	return true;
}

static bool sigset_out(FILE *out, const struct call *c, unsigned i)
{
	uint64_t set;

	if (!get(c, i, DATA_MEMORY, &set, sizeof(set)))
		return false;
	put_sigset(out, set);
	return true;
}

static bool sigaction_any(FILE *out, const struct call *c, unsigned i, uint32_t kind)
{
	struct { uint64_t handler, flags, restorer, mask; } v;

	if (!get(c, i, kind, &v, sizeof(v)))
		return false;
	fputs("{sa_handler=", out);
	if (v.handler < 2)
		fputs(v.handler ? "SIG_IGN" : "SIG_DFL", out);
	else
		decode_pointer(out, c, v.handler);
	fputs(", sa_mask=", out);
	put_sigset(out, v.mask);
	fputs(", sa_flags=", out);
	put_names(out, &names_sa_flags, v.flags);
	fputc('}', out);
	return true;
}

static bool sigaction_in(FILE *out, const struct call *c, unsigned i) { return sigaction_any(out, c, i, DATA_INPUT); }
static bool sigaction_out(FILE *out, const struct call *c, unsigned i) { return sigaction_any(out, c, i, DATA_MEMORY); }

static bool fd_pair(FILE *out, const struct call *c, unsigned i)
{
	int fd[2];

	if (!get(c, i, DATA_MEMORY, fd, sizeof(fd)))
		return false;
	fprintf(out, "[%d, %d]", fd[0], fd[1]);
	return true;
}

static bool utsname_out(FILE *out, const struct call *c, unsigned i)
{
	struct utsname v;

	if (!get(c, i, DATA_MEMORY, &v, sizeof(v)))
		return false;
	fputs("{sysname=", out);
	decode_quoted(out, v.sysname, strnlen(v.sysname, sizeof(v.sysname)), false);
	fputs(", nodename=", out);
	decode_quoted(out, v.nodename, strnlen(v.nodename, sizeof(v.nodename)), false);
	fputs(", release=", out);
	decode_quoted(out, v.release, strnlen(v.release, sizeof(v.release)), false);
	fputs(", ...}", out);
	return true;
}

static bool statfs_out(FILE *out, const struct call *c, unsigned i)
{
	struct statfs v;

	if (!get(c, i, DATA_MEMORY, &v, sizeof(v)))
		return false;
	fputs("{f_type=", out);
	put_names(out, &names_fs_magic, (uint64_t)v.f_type);
	if (c->no_times) { /* it changes as they go by */
		fputs(", ...}", out);
		return true;
	}
	fprintf(out, ", f_bsize=%ld, f_blocks=%ld, f_bfree=%ld, ...}", (long)v.f_bsize, (long)v.f_blocks,
		(long)v.f_bfree);
	return true;
}

/* sun_path up to its end; an abstract name begins with a null byte. */
static void put_unix(FILE *out, const char *path, size_t len)
{
	bool abstract = len && !path[0];

	fputs(abstract ? ", sun_path=@" : ", sun_path=", out);
	if (abstract)
		decode_quoted(out, path + 1, len - 1, false);
	else
		decode_quoted(out, path, strnlen(path, len), false);
}

static bool put_sockaddr(FILE *out, const struct call *c, uint64_t addr, uint32_t kind, size_t len)
{
	union {
		sa_family_t family;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
		char b[128];
	} v;
	char text[INET6_ADDRSTRLEN];

	memset(&v, 0, sizeof(v));
	len = memory_get(c->mem, addr, kind, &v, len < sizeof(v) ? len : sizeof(v));
	if (len < sizeof(v.family))
		return false;
	fputs("{sa_family=", out);
	put_names(out, &names_socket_family, v.family);
	if (v.family == AF_INET && len >= sizeof(v.in))
		fprintf(out, ", sin_port=%u, sin_addr=%s", ntohs(v.in.sin_port),
			inet_ntop(AF_INET, &v.in.sin_addr, text, sizeof(text)));
	else if (v.family == AF_INET6 && len >= sizeof(v.in6))
		fprintf(out, ", sin6_port=%u, sin6_addr=%s", ntohs(v.in6.sin6_port),
			inet_ntop(AF_INET6, &v.in6.sin6_addr, text, sizeof(text)));
	else if (v.family == AF_UNIX && len > sizeof(v.family))
		put_unix(out, v.un.sun_path, len - sizeof(v.family));
	else if (len > sizeof(v.family)) {
		fputs(", sa_data=", out);
		decode_quoted(out, v.b + sizeof(v.family), len - sizeof(v.family), false);
	}
	fputc('}', out);
	return true;
}

/* The next argument is its length, or where that is. */
static bool sockaddr_in_arg(FILE *out, const struct call *c, unsigned i)
{
	return put_sockaddr(out, c, c->arg[i], DATA_INPUT, c->arg[i + 1]);
}

static bool sockaddr_out(FILE *out, const struct call *c, unsigned i)
{
	uint32_t len;

	if (memory_get_any(c->mem, c->arg[i + 1], &len, sizeof(len)) != sizeof(len))
		return false;
	return put_sockaddr(out, c, c->arg[i], DATA_MEMORY, len);
}

/* What pieces hold, as long as `left` of what the call moved lasts. */
static bool put_iovec(FILE *out, const struct call *c, uint64_t addr, uint64_t n, uint32_t kind)
{
	uint64_t left = c->failed || c->result < 0 ? 0 : (uint64_t)c->result;
	struct iovec v;

	if (memory_get_any(c->mem, addr, &v, sizeof(v)) != sizeof(v))
		return false;
	fputc('[', out);
	for (uint64_t i = 0; i < n && i < ELEMENTS_SHOWN; i++) {
		uint64_t len;

		if (memory_get_any(c->mem, addr + i * sizeof(v), &v, sizeof(v)) != sizeof(v))
			break;
		len = kind == DATA_MEMORY && v.iov_len > left ? left : v.iov_len;
		left -= len < left ? len : left;
		fputs(i ? ", {iov_base=" : "{iov_base=", out);
		if (len)
			decode_bytes(out, c, (uint64_t)(uintptr_t)v.iov_base, kind, len);
		else
			fputs("\"\"", out);
		fprintf(out, ", iov_len=%zu}", v.iov_len);
	}
	fputs(n > ELEMENTS_SHOWN ? ", ...]" : "]", out);
	return true;
}

static bool iovec_in(FILE *out, const struct call *c, unsigned i)
{
	return put_iovec(out, c, c->arg[i], c->arg[i + 1], DATA_INPUT);
}

static bool iovec_out(FILE *out, const struct call *c, unsigned i)
{
	return put_iovec(out, c, c->arg[i], c->arg[i + 1], DATA_MEMORY);
}

static bool put_msghdr(FILE *out, const struct call *c, unsigned i, uint32_t kind)
{
	struct msghdr v;

	if (memory_get_any(c->mem, c->arg[i], &v, sizeof(v)) != sizeof(v))
		return false;
	fputs("{msg_name=", out);
	if (!put_sockaddr(out, c, (uint64_t)(uintptr_t)v.msg_name, kind, v.msg_namelen))
		decode_pointer(out, c, (uint64_t)(uintptr_t)v.msg_name);
	fputs(", msg_iov=", out);
	if (!put_iovec(out, c, (uint64_t)(uintptr_t)v.msg_iov, v.msg_iovlen, kind))
		decode_pointer(out, c, (uint64_t)(uintptr_t)v.msg_iov);
	fprintf(out, ", msg_iovlen=%zu, msg_controllen=%zu, msg_flags=", v.msg_iovlen, v.msg_controllen);
	put_names(out, &names_msg_flags, (uint32_t)v.msg_flags);
	fputc('}', out);
	return true;
}

static bool msghdr_in(FILE *out, const struct call *c, unsigned i) { return put_msghdr(out, c, i, DATA_INPUT); }
static bool msghdr_out(FILE *out, const struct call *c, unsigned i) { return put_msghdr(out, c, i, DATA_MEMORY); }

/* Events asked for, and those that came if any did. */
static bool pollfds(FILE *out, const struct call *c, unsigned i)
{
	uint64_t n = c->arg[i + 1];
	struct pollfd before, after;

	if (!get(c, i, DATA_INPUT, &before, sizeof(before)))
		return false;
	fputc('[', out);
	for (uint64_t k = 0; k < n && k < ELEMENTS_SHOWN; k++) {
		uint64_t at = c->arg[i] + k * sizeof(before);

		if (memory_get(c->mem, at, DATA_INPUT, &before, sizeof(before)) != sizeof(before))
			break;
		fprintf(out, "%s{fd=%d, events=", k ? ", " : "", before.fd);
		put_names(out, &names_poll_events, (uint16_t)before.events);
		if (memory_get(c->mem, at, DATA_MEMORY, &after, sizeof(after)) == sizeof(after) && after.revents) {
			fputs(", revents=", out);
			put_names(out, &names_poll_events, (uint16_t)after.revents);
		}
		fputc('}', out);
	}
	fputs(n > ELEMENTS_SHOWN ? ", ...]" : "]", out);
	return true;
}

static void put_epoll_event(FILE *out, const struct call *c, const struct epoll_event *e)
{
	fputs("{events=", out);
	put_names(out, &names_epoll_events, e->events);
	fputs(", data=", out);
	if (e->data.u64 > UINT32_MAX) /* most likely a pointer */
		decode_pointer(out, c, e->data.u64);
	else
		fprintf(out, "%#" PRIx64, (uint64_t)e->data.u64);
	fputc('}', out);
}

static bool epoll_event_in(FILE *out, const struct call *c, unsigned i)
{
	struct epoll_event e;

	if (!get(c, i, DATA_INPUT, &e, sizeof(e)))
		return false;
	put_epoll_event(out, c, &e);
	return true;
}

static bool epoll_events_out(FILE *out, const struct call *c, unsigned i)
{
	struct epoll_event e;

	if (c->failed || c->result < 0)
		return false;
	fputc('[', out);
	for (int64_t k = 0; k < c->result && k < ELEMENTS_SHOWN; k++) {
		uint64_t at = c->arg[i] + (uint64_t)k * sizeof(e);

		if (memory_get(c->mem, at, DATA_MEMORY, &e, sizeof(e)) != sizeof(e))
			break;
		fputs(k ? ", " : "", out);
		put_epoll_event(out, c, &e);
	}
	fputs(c->result > ELEMENTS_SHOWN ? ", ...]" : "]", out);
	return true;
}

static bool winsize_any(FILE *out, const struct call *c, unsigned i)
{
	uint16_t v[4];

	if (memory_get_any(c->mem, c->arg[i], v, sizeof(v)) != sizeof(v))
		return false;
	fprintf(out, "{ws_row=%u, ws_col=%u, ws_xpixel=%u, ws_ypixel=%u}", v[0], v[1], v[2], v[3]);
	return true;
}

static bool termios_any(FILE *out, const struct call *c, unsigned i)
{
	uint32_t v[4];

	if (memory_get_any(c->mem, c->arg[i], v, sizeof(v)) != sizeof(v))
		return false;
	fprintf(out, "{c_iflag=%#x, c_oflag=%#x, c_cflag=%#x, c_lflag=%#x, ...}", v[0], v[1], v[2], v[3]);
	return true;
}

static bool sysinfo_out(FILE *out, const struct call *c, unsigned i)
{
	struct sysinfo v;

	if (!get(c, i, DATA_MEMORY, &v, sizeof(v)))
		return false;
	if (c->no_times) {
		fputs("{...}", out);
		return true;
	}
	fprintf(out, "{uptime=%ld, totalram=%lu, freeram=%lu, procs=%u, ...}", v.uptime, v.totalram, v.freeram,
		v.procs);
	return true;
}

static bool wait_status_out(FILE *out, const struct call *c, unsigned i)
{
	int status;

	if (!get(c, i, DATA_MEMORY, &status, sizeof(status)))
		return false;
	fputc('[', out);
	decode_wait_status(out, status);
	fputc(']', out);
	return true;
}

static bool waited_out(FILE *out, const struct call *c, unsigned i)
{
	siginfo_t v;

	memset(&v, 0, sizeof(v)); /* the kernel writes it as far as si_status */
	if (!get(c, i, DATA_MEMORY, &v, offsetof(siginfo_t, si_status) + sizeof(v.si_status)))
		return false;
	if (c->no_pids)
		v.si_pid = 0;
	decode_siginfo(out, &v, sizeof(v));
	return true;
}

static bool statx_out(FILE *out, const struct call *c, unsigned i)
{
	struct statx v;

	if (!get(c, i, DATA_MEMORY, &v, sizeof(v)))
		return false;
	fputs("{stx_mode=", out);
	put_names(out, &names_file_mode, v.stx_mode);
	fprintf(out, ", stx_size=%" PRIu64 ", ...}", (uint64_t)v.stx_size);
	return true;
}

/* The names, as far as there is room for them. */
static bool dirents_out(FILE *out, const struct call *c, unsigned i)
{
	struct { uint64_t ino, off; uint16_t reclen; uint8_t type; char name[256]; } v;
	uint64_t at = 0;
	size_t head = offsetof(typeof(v), name);

	if (c->failed || c->result < 0)
		return false;
	fputc('[', out);
	for (unsigned n = 0; at + head < (uint64_t)c->result; n++) {
		size_t got = memory_get(c->mem, c->arg[i] + at, DATA_MEMORY, &v, sizeof(v));

		if (got <= head || v.reclen <= head)
			break;
		if (n == ELEMENTS_SHOWN && c->string_max == DECODE_STRING_MAX) {
			fputs(", ...", out);
			break;
		}
		fputs(n ? ", " : "", out);
		decode_quoted(out, v.name, strnlen(v.name, (got < v.reclen ? got : v.reclen) - head), false);
		at += v.reclen;
	}
	fputc(']', out);
	return true;
}

/* A terminal's session or foreground group. */
static bool group_any(FILE *out, const struct call *c, unsigned i)
{
	int32_t pid;

	if (memory_get_any(c->mem, c->arg[i], &pid, sizeof(pid)) != sizeof(pid))
		return false;
	if (c->no_pids)
		fputs("[PID]", out);
	else
		fprintf(out, "[%d]", pid);
	return true;
}

static const struct { const char *call; unsigned arg; object_fn *fn; } objects[] = {
	{ "stat", 1, stat_out }, { "lstat", 1, stat_out }, { "fstat", 1, stat_out }, { "newfstatat", 2, stat_out },
	{ "statfs", 1, statfs_out }, { "fstatfs", 1, statfs_out }, { "uname", 0, utsname_out },
	{ "sysinfo", 0, sysinfo_out },
	{ "clock_gettime", 1, timespec_out }, { "clock_getres", 1, timespec_out }, { "clock_settime", 1, timespec_in },
	{ "nanosleep", 0, timespec_in }, { "nanosleep", 1, timespec_out }, { "clock_nanosleep", 2, timespec_in },
	{ "clock_nanosleep", 3, timespec_out }, { "gettimeofday", 0, timeval_out }, { "futex", 3, timespec_in },
	{ "ppoll", 2, timespec_in }, { "pselect6", 4, timespec_in }, { "rt_sigtimedwait", 2, timespec_in },
	{ "setitimer", 1, itimer_in },
	{ "getrlimit", 1, rlimit_out }, { "setrlimit", 1, rlimit_in }, { "prlimit64", 2, rlimit_in },
	{ "prlimit64", 3, rlimit_out },
	{ "rt_sigaction", 1, sigaction_in }, { "rt_sigaction", 2, sigaction_out }, { "rt_sigprocmask", 1, sigset_in },
	{ "rt_sigprocmask", 2, sigset_out }, { "rt_sigsuspend", 0, sigset_in }, { "rt_sigpending", 0, sigset_out },
	{ "rt_sigtimedwait", 0, sigset_in }, { "signalfd4", 1, sigset_in }, { "signalfd", 1, sigset_in },
	{ "ppoll", 3, sigset_in }, { "epoll_pwait", 4, sigset_in },
	{ "pipe", 0, fd_pair }, { "pipe2", 0, fd_pair }, { "socketpair", 3, fd_pair },
	{ "connect", 1, sockaddr_in_arg }, { "bind", 1, sockaddr_in_arg }, { "sendto", 4, sockaddr_in_arg },
	{ "accept", 1, sockaddr_out }, { "accept4", 1, sockaddr_out }, { "getsockname", 1, sockaddr_out },
	{ "getpeername", 1, sockaddr_out }, { "recvfrom", 4, sockaddr_out },
	{ "readv", 1, iovec_out }, { "preadv", 1, iovec_out }, { "preadv2", 1, iovec_out }, { "writev", 1, iovec_in },
	{ "pwritev", 1, iovec_in }, { "pwritev2", 1, iovec_in }, { "sendmsg", 1, msghdr_in },
	{ "recvmsg", 1, msghdr_out },
	{ "poll", 0, pollfds }, { "ppoll", 0, pollfds }, { "epoll_ctl", 3, epoll_event_in },
	{ "epoll_wait", 1, epoll_events_out }, { "epoll_pwait", 1, epoll_events_out },
	{ "epoll_pwait2", 1, epoll_events_out },
	{ "ioctl$TIOCGWINSZ", 2, winsize_any }, { "ioctl$TIOCSWINSZ", 2, winsize_any },
	{ "ioctl$TCGETS", 2, termios_any },
	{ "ioctl$TCSETS", 2, termios_any }, { "ioctl$TCSETSW", 2, termios_any }, { "ioctl$TCSETSF", 2, termios_any },
	{ "ioctl$TCGETS2", 2, termios_any }, { "wait4", 1, wait_status_out },
	{ "waitid", 2, waited_out }, { "statx", 4, statx_out }, { "getdents64", 1, dirents_out },
	{ "ioctl$TIOCGPGRP", 2, group_any }, { "ioctl$TIOCSPGRP", 2, group_any }, { "ioctl$TIOCGSID", 2, group_any },
};

/* A row's name, or that of the call it is a command of. */
static bool is_call(const char *row, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(row, name, len) && (!row[len] || (row[len] == '$' && !strchr(name, '$')));
}

bool decode_object(FILE *out, const struct call *c, unsigned i)
{
	if (c->nr == __NR_bpf && c->variant)
		return decode_bpf(out, c, i);
	for (size_t k = 0; k < sizeof(objects) / sizeof(objects[0]); k++)
		if (objects[k].arg == i && is_call(c->row->name, objects[k].call))
			return objects[k].fn(out, c, i);
	return false;
}
