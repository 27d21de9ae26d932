/* Signals and ends of processes as text. Contract: decode.h. */
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/decode.h"
#include "syscall-emu/names.h"

struct code_name {
	int sig, code; /* sig 0: of any signal */
	const char *name;
};

#define ANY(c) { 0, c, #c }
#define CODE(s, c) { s, c, #c }

static const struct code_name codes[] = {
	ANY(SI_USER), ANY(SI_KERNEL), ANY(SI_QUEUE), ANY(SI_TIMER), ANY(SI_MESGQ), ANY(SI_ASYNCIO), ANY(SI_SIGIO),
	ANY(SI_TKILL), ANY(SI_ASYNCNL),
	CODE(SIGILL, ILL_ILLOPC), CODE(SIGILL, ILL_ILLOPN), CODE(SIGILL, ILL_ILLADR), CODE(SIGILL, ILL_ILLTRP),
	CODE(SIGILL, ILL_PRVOPC), CODE(SIGILL, ILL_PRVREG), CODE(SIGILL, ILL_COPROC), CODE(SIGILL, ILL_BADSTK),
	CODE(SIGFPE, FPE_INTDIV), CODE(SIGFPE, FPE_INTOVF), CODE(SIGFPE, FPE_FLTDIV), CODE(SIGFPE, FPE_FLTOVF),
	CODE(SIGFPE, FPE_FLTUND), CODE(SIGFPE, FPE_FLTRES), CODE(SIGFPE, FPE_FLTINV), CODE(SIGFPE, FPE_FLTSUB),
	CODE(SIGSEGV, SEGV_MAPERR), CODE(SIGSEGV, SEGV_ACCERR), CODE(SIGSEGV, SEGV_BNDERR), CODE(SIGSEGV, SEGV_PKUERR),
	CODE(SIGBUS, BUS_ADRALN), CODE(SIGBUS, BUS_ADRERR), CODE(SIGBUS, BUS_OBJERR), CODE(SIGBUS, BUS_MCEERR_AR),
	CODE(SIGBUS, BUS_MCEERR_AO),
	CODE(SIGTRAP, TRAP_BRKPT), CODE(SIGTRAP, TRAP_TRACE), CODE(SIGTRAP, TRAP_BRANCH), CODE(SIGTRAP, TRAP_HWBKPT),
	CODE(SIGCHLD, CLD_EXITED), CODE(SIGCHLD, CLD_KILLED), CODE(SIGCHLD, CLD_DUMPED), CODE(SIGCHLD, CLD_TRAPPED),
	CODE(SIGCHLD, CLD_STOPPED), CODE(SIGCHLD, CLD_CONTINUED),
	CODE(SIGIO, POLL_IN), CODE(SIGIO, POLL_OUT), CODE(SIGIO, POLL_MSG), CODE(SIGIO, POLL_ERR),
	CODE(SIGIO, POLL_PRI), CODE(SIGIO, POLL_HUP),
};

static void put_signal(FILE *out, int sig)
{
	const char *name = signal_name(sig);

	if (name)
		fputs(name, out);
	else
		fprintf(out, "%d", sig);
}

static void put_code(FILE *out, int sig, int code)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].code == code && (!codes[i].sig || codes[i].sig == sig)) {
			fputs(codes[i].name, out);
			return;
		}
	fprintf(out, "%d", code);
}

static bool is_fault(int sig)
{
	return sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE || sig == SIGTRAP;
}

static void put_fields(FILE *out, const siginfo_t *si)
{
	if (si->si_signo == SIGCHLD && si->si_code > 0) {
		fprintf(out, ", si_pid=%d, si_uid=%u, si_status=", si->si_pid, si->si_uid);
		if (si->si_code == CLD_EXITED)
			fprintf(out, "%d", si->si_status);
		else
			put_signal(out, si->si_status);
	} else if (is_fault(si->si_signo) && si->si_code > 0 && si->si_code != SI_KERNEL) {
		fputs(", si_addr=", out);
		decode_address(out, (uint64_t)(uintptr_t)si->si_addr);
	} else if (si->si_signo == SIGSYS && si->si_code > 0) {
		fprintf(out, ", si_call_addr=%p, si_syscall=%d", si->si_call_addr, si->si_syscall);
	} else if (si->si_code == SI_TIMER) {
		fprintf(out, ", si_timerid=%d, si_overrun=%d", si->si_timerid, si->si_overrun);
	} else if (si->si_code == SI_QUEUE || si->si_code == SI_MESGQ) {
		fprintf(out, ", si_pid=%d, si_uid=%u, si_value=%#" PRIx64, si->si_pid, si->si_uid,
			(uint64_t)(uintptr_t)si->si_ptr);
	} else if (si->si_signo == SIGIO && si->si_code > 0 && si->si_code != SI_KERNEL) {
		fprintf(out, ", si_band=%ld, si_fd=%d", si->si_band, si->si_fd);
	} else if (si->si_code <= 0) {
		fprintf(out, ", si_pid=%d, si_uid=%u", si->si_pid, si->si_uid);
	}
}

static bool take(siginfo_t *si, const void *info, size_t len)
{
	if (!info || len < sizeof(*si))
		return false;
	memcpy(si, info, sizeof(*si));
	return true;
}

int decode_signo(const void *info, size_t len)
{
	siginfo_t si;

	return take(&si, info, len) ? si.si_signo : 0;
}

void decode_siginfo(FILE *out, const void *info, size_t len)
{
	siginfo_t si;

	if (!take(&si, info, len)) {
		fputs("{}", out);
		return;
	}
	fputs("{si_signo=", out);
	put_signal(out, si.si_signo);
	fputs(", si_code=", out);
	put_code(out, si.si_signo, si.si_code);
	put_fields(out, &si);
	fputc('}', out);
}

void decode_wait_status(FILE *out, int status)
{
	if (WIFEXITED(status)) {
		fprintf(out, "exited with %d", WEXITSTATUS(status));
		return;
	}
	fputs("killed by ", out);
	put_signal(out, WTERMSIG(status));
	if (WCOREDUMP(status))
		fputs(" (core dumped)", out);
}
