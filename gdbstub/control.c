/* Packets that make the program run, and what is said when it stops. Contract: stub_int.h. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "gdbstub/stub_int.h"

/* ---- signal numbers ---- */

/* gdb has numbers of its own (include/gdb/signals.def); these are not in one row with Linux's. */
static const uint8_t number_of[32] = {
	[SIGHUP] = 1, [SIGINT] = 2, [SIGQUIT] = 3, [SIGILL] = 4, [SIGTRAP] = 5, [SIGABRT] = 6, [SIGFPE] = 8, [SIGKILL] = 9,
	[SIGBUS] = 10, [SIGSEGV] = 11, [SIGSYS] = 12, [SIGPIPE] = 13, [SIGALRM] = 14, [SIGTERM] = 15, [SIGURG] = 16,
	[SIGSTOP] = 17, [SIGTSTP] = 18, [SIGCONT] = 19, [SIGCHLD] = 20, [SIGTTIN] = 21, [SIGTTOU] = 22, [SIGIO] = 23,
	[SIGXCPU] = 24, [SIGXFSZ] = 25, [SIGVTALRM] = 26, [SIGPROF] = 27, [SIGWINCH] = 28, [SIGUSR1] = 30, [SIGUSR2] = 31,
	[SIGPWR] = 32,
};
#define NUMBER_RT33 45
#define NUMBER_RT32 77
#define NUMBER_RT64 78
#define NUMBER_UNKNOWN 143

unsigned stub_signal_number(int signo)
{
	if (signo == 32)
		return NUMBER_RT32;
	if (signo == 64)
		return NUMBER_RT64;
	if (signo > 32 && signo < 64)
		return NUMBER_RT33 + (unsigned)signo - 33;
	return signo > 0 && signo < 32 && number_of[signo] ? number_of[signo] : NUMBER_UNKNOWN;
}

int stub_signal_of(unsigned number)
{
	for (int signo = 1; signo <= 64; signo++)
		if (stub_signal_number(signo) == number && number != NUMBER_UNKNOWN)
			return signo;
	return 0;
}

/* ---- stops ---- */

static void put_reason(struct stub *s, const struct debug_stop *stop)
{
	static const char *const watch[] = { [DEBUG_WATCH_WRITE] = "watch", [DEBUG_WATCH_READ] = "rwatch",
					     [DEBUG_WATCH_ACCESS] = "awatch" };

	switch (stop->kind) {
	case DEBUG_BREAKPOINT:
		if (stop->point == DEBUG_BREAK ? s->swbreak : s->hwbreak)
			packet_text(&s->reply, stop->point == DEBUG_BREAK ? "swbreak:;" : "hwbreak:;");
		break;
	case DEBUG_WATCHPOINT:
		packet_printf(&s->reply, "%s:%llx;", watch[stop->point], (unsigned long long)stop->addr);
		break;
	case DEBUG_SYSCALL_ENTRY:
		packet_printf(&s->reply, "syscall_entry:%x;", (unsigned)stop->nr);
		break;
	case DEBUG_SYSCALL_RETURN:
		packet_printf(&s->reply, "syscall_return:%x;", (unsigned)stop->nr);
		break;
	case DEBUG_EXEC:
		if (s->wishes.exec_events) {
			packet_text(&s->reply, "exec:");
			packet_hex(&s->reply, stop->path, strlen(stop->path));
			packet_text(&s->reply, ";");
		}
		break;
	case DEBUG_FORK:
	case DEBUG_VFORK:
		packet_printf(&s->reply, "%s:p%x.%x;", stop->kind == DEBUG_FORK ? "fork" : "vfork", (unsigned)stop->child,
			      (unsigned)stop->child);
		break;
	case DEBUG_THREAD_BORN:
		packet_text(&s->reply, "create:;");
		break;
	case DEBUG_BEGIN:
	case DEBUG_END:
		packet_printf(&s->reply, "replaylog:%s;", stop->kind == DEBUG_BEGIN ? "begin" : "end");
		break;
	default:
		break;
	}
}

static void put_exit(struct stub *s, int status)
{
	if (WIFSIGNALED(status))
		packet_printf(&s->reply, "X%02x", stub_signal_number(WTERMSIG(status)));
	else
		packet_printf(&s->reply, "W%02x", (unsigned)WEXITSTATUS(status));
	if (s->multiprocess)
		packet_printf(&s->reply, ";process:%x", (unsigned)s->t->ops->pid(s->t));
}

void stub_put_stop(struct stub *s, const struct debug_stop *stop)
{
	unsigned signo = stub_signal_number(SIGTRAP);

	if (stop->kind == DEBUG_EXITED) {
		put_exit(s, stop->status);
		return;
	}
	if (stop->kind == DEBUG_THREAD_ENDED) {
		packet_printf(&s->reply, "w%x;", (unsigned)stop->status);
		stub_put_thread(s, stop->child);
		return;
	}
	if (stop->kind == DEBUG_SIGNAL)
		signo = stub_signal_number(stop->signo);
	else if (stop->kind == DEBUG_INTERRUPTED)
		signo = stub_signal_number(SIGINT);
	else if (stop->kind == DEBUG_FAILED)
		signo = stub_signal_number(SIGABRT);
	packet_printf(&s->reply, "T%02x", signo);
	put_reason(s, stop);
	packet_text(&s->reply, "thread:");
	stub_put_thread(s, stop->kind == DEBUG_THREAD_BORN ? stop->child : stop->tid);
	packet_text(&s->reply, ";");
}

/* For who has just come: where the program is, not what has happened to it (a fork, say) for the client before. */
static void put_state(struct stub *s)
{
	struct debug_stop stop = *s->t->ops->stopped(s->t);

	if (stop.kind != DEBUG_EXITED && stop.kind != DEBUG_SIGNAL && stop.kind != DEBUG_FAILED)
		stop.kind = DEBUG_STEPPED;
	stub_put_stop(s, &stop);
}

/* ---- running ---- */

/*
 * Until it is told that a vfork is done, gdb inserts no breakpoint into the parent, and a second vfork is one too many for
 * it. When a vfork is reported, forwards or backwards, the parent already has its memory for itself again.
 */
static void put_vfork_done(struct stub *s)
{
	s->vfork_done = false;
	packet_printf(&s->reply, "T%02xvforkdone:;thread:", stub_signal_number(SIGTRAP));
	stub_put_thread(s, s->t->ops->stopped(s->t)->tid);
	packet_text(&s->reply, ";");
}

static bool run(struct stub *s, struct debug_resume *how)
{
	struct debug_stop stop;

	if (s->vfork_done) {
		put_vfork_done(s);
		return true;
	}
	if (s->t->ops->stopped(s->t)->kind == DEBUG_EXITED && !how->back) {
		stub_put_stop(s, s->t->ops->stopped(s->t));
		return true;
	}
	how->wishes = s->wishes;
	how->fd = s->in;
	how->interrupted = stub_interrupted;
	how->arg = s;
	memset(&stop, 0, sizeof(stop));
	s->t->ops->resume(s->t, how, &stop);
	s->general = s->cont = 0;
	s->elsewhere = false;
	s->vfork_done = stop.kind == DEBUG_VFORK;
	stub_put_stop(s, &stop);
	return true;
}

/* One action of vCont: what it does to which thread. */
struct action {
	char what;
	uint64_t range[2];
	pid_t pid, tid;
};

static bool action(const char **p, struct action *a)
{
	uint64_t ignored;

	a->what = **p;
	a->pid = 0;
	a->tid = -1;
	if (!a->what)
		return false;
	++*p;
	/* Which signal goes to the program is the recording's business. */
	if ((a->what == 'C' || a->what == 'S') && !packet_number(p, &ignored))
		return false;
	if (a->what == 'r' && !(packet_number(p, &a->range[0]) && packet_expect(p, ',') && packet_number(p, &a->range[1])))
		return false;
	if (packet_expect(p, ':') && !stub_thread_id(p, &a->pid, &a->tid))
		return false;
	return strchr("cCsSrt", a->what) && (!**p || **p == ';');
}

/* Threads run as they did when recorded; the one that steps says when it is over. */
static bool vcont(struct stub *s, const char *p)
{
	struct debug_resume how = { 0 };
	struct action a;

	while (packet_expect(&p, ';')) {
		if (!action(&p, &a)) {
			stub_error(s, -EINVAL);
			return true;
		}
		if (how.step || !strchr("sSr", a.what))
			continue;
		how.step = true;
		how.tid = a.tid > 0 ? a.tid : 0;
		if (a.what == 'r')
			memcpy(how.range, a.range, sizeof(how.range));
	}
	return run(s, &how);
}

/* c, s, bc, bs, and C, S with a signal (and perhaps an address, which a recording cannot follow). */
static bool old_run(struct stub *s, char letter, bool back)
{
	struct debug_resume how = { .back = back, .step = letter == 's' || letter == 'S' };

	how.tid = s->cont > 0 ? s->cont : 0;
	if (how.step && !how.tid)
		how.tid = s->t->ops->stopped(s->t)->tid;
	return run(s, &how);
}

static bool restart(struct stub *s, bool reply)
{
	struct debug_stop stop;
	int rc;

	memset(&stop, 0, sizeof(stop));
	s->vfork_done = s->detached = false;
	rc = s->t->ops->restart(s->t, &stop);
	s->general = s->cont = 0;
	s->answered = !reply;
	if (rc < 0)
		stub_error(s, rc);
	else
		stub_put_stop(s, &stop);
	return true;
}

static bool leave(struct stub *s, const char *p)
{
	uint64_t pid;

	/* One process of several: a child that gdb lets go. */
	if (packet_expect(&p, ';') && packet_number(&p, &pid) && pid != (uint64_t)s->t->ops->pid(s->t)) {
		stub_ok(s);
		return true;
	}
	stub_ok(s);
	if (s->extended) {
		s->detached = true;
		return true;
	}
	stub_send(s);
	s->over = true;
	s->end = STUB_DETACHED;
	return true;
}

/* The program is dead for gdb; in extended mode it may start it again. */
static bool kill_it(struct stub *s, bool reply)
{
	s->answered = !reply;
	if (reply)
		stub_ok(s);
	if (s->extended)
		return true;
	if (reply)
		stub_send(s);
	s->over = true;
	s->end = STUB_KILLED;
	return true;
}

static bool choose_thread(struct stub *s, const char *p)
{
	pid_t pid, tid;
	char op = *p++;

	if ((op != 'g' && op != 'c') || !stub_thread_id(&p, &pid, &tid)) {
		stub_error(s, -EINVAL);
		return true;
	}
	if (op == 'c') {
		s->cont = tid;
	} else {
		s->general = tid;
		s->elsewhere = pid > 0 && pid != s->t->ops->pid(s->t);
	}
	stub_ok(s);
	return true;
}

static bool thread_alive(struct stub *s, const char *p)
{
	pid_t pid, tid, all[STUB_THREADS];
	int n = s->t->ops->threads(s->t, all, STUB_THREADS);
	bool alive = false;

	if (stub_thread_id(&p, &pid, &tid))
		for (int i = 0; i < n; i++)
			alive |= all[i] == tid;
	if (alive)
		stub_ok(s);
	else
		stub_error(s, -ESRCH);
	return true;
}

static bool v_packet(struct stub *s, const char *p)
{
	if (!strcmp(p, "vCont?")) {
		packet_text(&s->reply, "vCont;c;C;s;S;r");
		return true;
	}
	if (!strncmp(p, "vCont;", 6))
		return vcont(s, p + 5);
	if (!strncmp(p, "vRun", 4))
		return restart(s, true);
	if (!strncmp(p, "vKill", 5))
		return kill_it(s, true);
	return false;
}

bool stub_control(struct stub *s, const char *p)
{
	switch (p[0]) {
	case '?':
		put_state(s);
		return true;
	case 'c':
	case 'C':
	case 's':
	case 'S':
		return old_run(s, p[0], false);
	case 'b':
		return (p[1] == 'c' || p[1] == 's') && !p[2] && old_run(s, p[1], true);
	case 'v':
		return v_packet(s, p);
	case 'H':
		return choose_thread(s, p + 1);
	case 'T':
		return thread_alive(s, p + 1);
	case 'D':
		return leave(s, p + 1);
	case 'k':
		return kill_it(s, false);
	case 'R':
		return s->extended && restart(s, false);
	}
	return false;
}
