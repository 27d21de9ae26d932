/* Who the process is: ids, groups, capabilities, names, process attributes. */
#include "guest.h"
#include <linux/capability.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

static void ids(void)
{
	uid_t r, e, s;
	gid_t groups[256];
	int n = getgroups(256, groups);

	SHOW(getresuid(&r, &e, &s));
	printf("uid %u %u %u\n", r, e, s);
	SHOW(getresgid(&r, &e, &s));
	printf("gid %u %u %u\n", r, e, s);
	printf("%d groups, sum %08x\n", n, sum_of(groups, n > 0 ? n * sizeof(*groups) : 0));
	SHOW(getgroups(0, NULL) == n);
	SHOW(setresuid(-1, -1, -1));
	SHOW(setuid(getuid()));
	SHOW(setgid(getgid()));
	SHOW(setfsuid(-1) == (int)geteuid());
	CHECK(getpid() > 1 && getppid() > 1 && syscall(SYS_gettid) == getpid());
	CHECK(getpgid(0) == getpgrp() && getpgid(getpid()) == getpgrp() && getsid(0) > 0);
	SHOW(getpgid(-1));
	SHOW(kill(getpid(), 0));
	SHOW(kill(-1234567, 0));
	SHOW(syscall(SYS_tgkill, getpid(), getpid(), 0));
	SHOW(syscall(SYS_tkill, 0, 0));
}

static void capabilities(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	SHOW(syscall(SYS_capget, &h, d));
	printf("effective %08x %08x\n", d[1].effective, d[0].effective);
	SHOW(syscall(SYS_capset, &h, d));
	h.version = 1;
	SHOW(syscall(SYS_capget, &h, d));
	printf("version %#x\n", h.version);
}

static void attributes(void)
{
	char name[17] = "";
	int v = -1;

	SHOW(prctl(PR_GET_NAME, name));
	printf("name %s\n", name);
	SHOW(prctl(PR_SET_NAME, "a name that is too long"));
	SHOW(prctl(PR_GET_NAME, name));
	printf("name %s\n", name);
	SHOW(prctl(PR_GET_DUMPABLE));
	SHOW(prctl(PR_SET_PDEATHSIG, 15));
	SHOW(prctl(PR_GET_PDEATHSIG, &v));
	printf("signal %d\n", v);
	SHOW(prctl(PR_SET_PDEATHSIG, 0));
	SHOW(prctl(PR_GET_KEEPCAPS));
	SHOW(prctl(PR_GET_TIMERSLACK));
	SHOW(prctl(PR_SET_TIMERSLACK, 60000));
	SHOW(prctl(PR_GET_TIMERSLACK));
	SHOW(prctl(PR_GET_TSC, &v));
	printf("tsc %d\n", v);
	SHOW(prctl(PR_GET_CHILD_SUBREAPER, &v));
	printf("subreaper %d\n", v);
	SHOW(prctl(PR_GET_SECCOMP));
	SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	SHOW(prctl(PR_CAPBSET_READ, 0));
	SHOW(prctl(PR_CAPBSET_READ, 1000));
	SHOW(prctl(123456));
	printf("personality %#x\n", personality(0xffffffff));
}

static void machine(void)
{
	struct utsname u;
	struct sysinfo si;
	char host[256];

	SHOW(uname(&u));
	printf("%s %s %s %s\n", u.sysname, u.nodename, u.release, u.machine);
	SHOW(gethostname(host, sizeof(host)));
	SHOW(strcmp(host, u.nodename));
	SHOW(sysinfo(&si));
	CHECK(si.uptime > 0 && si.totalram > 0 && si.mem_unit > 0 && si.procs > 0);
	SHOW(syscall(SYS_uname, 8));
}

int main(void)
{
	ids();
	capabilities();
	attributes();
	machine();
	return guest_end();
}
