/* sandrec gdb: gdb on a recording. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/message.h"
#include "cli/outcome.h"
#include "cli/serve.h"
#include "gdbstub/stub.h"
#include "replay/debug.h"

struct options {
	const char *pid;
	const char *debugger;
	bool quiet;
};

static const struct cli_option options[] = {
	{ "pid", 'p', OPT_STRING, offsetof(struct options, pid), "PID", "debug this process, not the first one" },
	{ "debugger", 'd', OPT_STRING, offsetof(struct options, debugger), "GDB", "start this instead of gdb" },
	{ "quiet", 'q', OPT_FLAG, offsetof(struct options, quiet), NULL, "do not repeat the program's output" },
	{ 0 }
};

static const struct cli_command command = {
	.name = "gdb",
	.operands = "[TRACE] [-- GDB-ARG...]",
	.summary = "debug a recording, forwards and backwards",
	.text = "Starts gdb at the first instruction of the recorded program. Everything of gdb that looks at a program works, and\n"
		"reverse-continue, reverse-step, reverse-next, reverse-stepi, reverse-finish; `monitor help` lists what sandrec\n"
		"adds. The program's files are taken from the recording. What you change lasts until the program goes on.\n"
		"\n"
		"GDB-ARG are options of gdb, such as -ex COMMAND, -x SCRIPT, -batch.",
	.options = options,
	.max = -1,
	.takes_program = false,
};

/* A socket that nobody else can find: in a directory of our own. */
struct place {
	char dir[64], path[96];
	int fd;
};

static bool make_place(struct place *p)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(p->dir, sizeof(p->dir), "/tmp/sandrec-gdb.XXXXXX");
	if (!mkdtemp(p->dir)) {
		message_error("cannot make a directory in /tmp: %s", strerror(errno));
		message_hint("make room in /tmp; it holds a socket while gdb runs");
		return false;
	}
	snprintf(p->path, sizeof(p->path), "%s/socket", p->dir);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", p->path);
	p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->fd >= 0 && bind(p->fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(p->fd, 1) == 0)
		return true;
	message_error("cannot make a socket in %s: %s", p->dir, strerror(errno));
	message_hint("make room in /tmp; it holds a socket while gdb runs");
	return false;
}

static void remove_place(struct place *p)
{
	if (p->fd >= 0)
		close(p->fd);
	unlink(p->path);
	rmdir(p->dir);
}

/* The process that talks to gdb. It is not gdb's child, nor in the terminal's foreground: ^C is for gdb, which asks. */
static _Noreturn void serve(struct debug_target *t, struct place *p)
{
	int fd;

	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		stub_serve(t, fd, fd);
	debug_end(t);
	_exit(EXIT_SUCCESS);
}

static pid_t start_gdb(const struct options *o, const struct place *p, int argc, char **argv)
{
	char connect[128], *v[argc + 16];
	int n = 0;
	pid_t pid;

	snprintf(connect, sizeof(connect), "target extended-remote %s", p->path);
	v[n++] = (char *)(uintptr_t)o->debugger;
	v[n++] = (char *)"-quiet";
	/* What comes from the recording is read over the socket, which is fast. */
	v[n++] = (char *)"-iex";
	v[n++] = (char *)"set sysroot target:";
	v[n++] = (char *)"-iex";
	v[n++] = (char *)"set remotetimeout 1000000";
	v[n++] = (char *)"-iex";
	v[n++] = (char *)"set tcp connect-timeout unlimited";
	v[n++] = (char *)"-iex";
	v[n++] = (char *)"set startup-with-shell off";
	v[n++] = (char *)"-ex";
	v[n++] = connect;
	for (int i = 0; i < argc; i++)
		v[n++] = argv[i];
	v[n] = NULL;
	fflush(NULL);
	pid = fork();
	if (pid)
		return pid;
	execvp(v[0], v);
	message_error("cannot start %s: %s", v[0], strerror(errno));
	message_hint("install gdb, or name it with --debugger");
	_exit(STATUS_NOT_FOUND);
}

static int wait_for_gdb(pid_t gdb)
{
	int status;

	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	while (waitpid(gdb, &status, 0) < 0)
		if (errno != EINTR)
			return STATUS_FAILED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_FAILED;
}

/* gdb is started by the process that people wait for; the other one holds the replay. It says when that stands. */
static pid_t start_server(const struct options *o, const char *name, struct place *p)
{
	struct debug_target *t;
	int ready[2];
	pid_t pid;
	char c;

	fflush(NULL);
	pid = pipe2(ready, O_CLOEXEC) < 0 ? -1 : fork();
	if (pid < 0) {
		message_error("cannot start a process: %s", strerror(errno));
		return -1;
	}
	if (pid == 0) {
		signal(SIGINT, SIG_IGN);
		if (!serve_begin(name, o->pid, o->quiet, -1, &t) || write(ready[1], "", 1) != 1)
			_exit(STATUS_FAILED);
		close(ready[1]);
		serve(t, p);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1) {
		waitpid(pid, NULL, 0);
		pid = -1;
	}
	close(ready[0]);
	return pid;
}

static int debug(const struct options *o, const char *name, int argc, char **argv)
{
	struct place p = { .fd = -1 };
	pid_t server, gdb;
	int status = STATUS_FAILED;

	if (!make_place(&p))
		return status;
	server = start_server(o, name, &p);
	if (server > 0) {
		gdb = start_gdb(o, &p, argc, argv);
		if (gdb > 0)
			status = wait_for_gdb(gdb);
		else
			message_error("cannot start a process: %s", strerror(errno));
		/* gdb may have ended without a word to it. */
		shutdown(p.fd, SHUT_RDWR);
		waitpid(server, NULL, 0);
	}
	remove_place(&p);
	return status;
}

int cmd_gdb(int argc, char **argv)
{
	struct options o = { .debugger = "gdb" };
	int first, status, own = argc, rest;

	/* What follows `--` is gdb's. */
	for (int i = 1; i < argc && own == argc; i++)
		if (!strcmp(argv[i], "--"))
			own = i;
	rest = own < argc ? own + 1 : argc;
	if (!options_parse(&command, own, argv, &o, &first, &status))
		return status;
	if (own - first > 1) {
		message_error("more than one TRACE");
		message_hint("what gdb is to get comes after `--`");
		return STATUS_USAGE;
	}
	return debug(&o, first < own ? argv[first] : NULL, argc - rest, argv + rest);
}
