/* Taking signals without handlers: sigwaitinfo, sigtimedwait, signalfd, and the values of sigqueue. */
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>

#include "sigtest.h"

static void show(const char *what, int rc, const siginfo_t *si)
{
	if (rc < 0)
		printf("%s: %s\n", what, strerror(errno));
	else
		printf("%s: %d signo %d code %d value %d from us %d\n", what, rc, si->si_signo, si->si_code,
		       si->si_code == SI_QUEUE ? si->si_value.sival_int : 0, si->si_pid == getpid() && si->si_uid == getuid());
}

static void read_one(int fd)
{
	struct signalfd_siginfo s;
	ssize_t n = read(fd, &s, sizeof(s));

	if (n < 0)
		printf("signalfd: %s\n", strerror(errno));
	else
		printf("signalfd: %zd signo %u code %d int %d from us %d\n", n, s.ssi_signo, s.ssi_code, s.ssi_int,
		       s.ssi_pid == (uint32_t)getpid());
}

int main(void)
{
	struct timespec zero = { 0 }, little = { .tv_nsec = 1000000 };
	sigset_t set;
	siginfo_t si;
	struct pollfd pfd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGRTMIN + 3);
	sigprocmask(SIG_BLOCK, &set, NULL);
	show("nothing there", sigtimedwait(&set, &si, &zero), &si);
	show("nothing came", sigtimedwait(&set, &si, &little), &si);
	kill(getpid(), SIGTERM);
	show("kill", sigwaitinfo(&set, &si), &si);
	raise(SIGUSR1);
	show("raise", sigwaitinfo(&set, &si), &si);
	sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 41 });
	show("sigqueue", sigtimedwait(&set, &si, &little), &si);
	for (int i = 1; i <= 3; i++)
		sigqueue(getpid(), SIGRTMIN + 3, (union sigval){ .sival_int = -i });
	for (int i = 1; i <= 3; i++)
		show("queue", sigwaitinfo(&set, &si), &si);
	pfd = (struct pollfd){ .fd = signalfd(-1, &set, SFD_NONBLOCK), .events = POLLIN };
	printf("readable %d\n", poll(&pfd, 1, 0));
	read_one(pfd.fd);
	sigqueue(getpid(), SIGTERM, (union sigval){ .sival_int = 7 });
	kill(getpid(), SIGUSR1);
	printf("readable %d\n", poll(&pfd, 1, 1000));
	read_one(pfd.fd);
	read_one(pfd.fd);
	read_one(pfd.fd);
	printf("size %d\n", syscall(SYS_rt_sigtimedwait, &set, NULL, &zero, 4) < 0 ? errno : 0);
	return 0;
}
