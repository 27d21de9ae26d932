/* sandrec serve: a recording for any client of gdb's remote protocol. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/message.h"
#include "cli/outcome.h"
#include "cli/serve.h"
#include "cli/trace.h"
#include "gdbstub/stub.h"
#include "replay/debug.h"
#include "vmm/cleanup.h"

struct options {
	const char *listen;
	const char *pid;
	bool quiet, once;
};

static const struct cli_option options[] = {
	{ "listen", 'l', OPT_STRING, offsetof(struct options, listen), "WHERE", "HOST:PORT, unix:PATH or stdio" },
	{ "pid", 'p', OPT_STRING, offsetof(struct options, pid), "PID", "debug this process, not the first one" },
	{ "once", 0, OPT_FLAG, offsetof(struct options, once), NULL, "end when the first client has gone" },
	{ "quiet", 'q', OPT_FLAG, offsetof(struct options, quiet), NULL, "do not repeat the program's output" },
	{ 0 }
};

static const struct cli_command command = {
	.name = "serve",
	.operands = "[TRACE]",
	.summary = "let debuggers connect to a recording",
	.text = "Speaks gdb's remote protocol, for gdb, lldb and IDEs. Without --listen: 127.0.0.1 and a free port, which is\n"
		"printed. With `--listen stdio`, a debugger can start it itself:\n"
		"    target extended-remote | sandrec serve --listen stdio TRACE\n"
		"Clients are served one after another; each finds the program where the one before has left it.\n"
		"`sandrec gdb` does all of this at once.",
	.options = options,
	.max = 1,
};

static bool find_process(struct debug_request *q, const char *text)
{
	struct trace_procs ps;
	const struct trace_proc *p;

	if (!trace_procs_read(q->dirfd, q->path, &ps))
		return false;
	p = trace_proc_find(&ps, q->path, text);
	if (p) {
		q->number = p->number;
		q->pid = p->pid;
	}
	trace_procs_free(&ps);
	return p;
}

bool serve_begin(const char *name, const char *pid, bool quiet, int output, struct debug_target **out)
{
	char path[4096] = "", why[256] = "";
	cleanup_close int dir = trace_open(name, path, sizeof(path));
	struct debug_request q = { .dirfd = dir, .path = path, .quiet_output = quiet, .output = output, .failed = replay_outcome };
	int rc;

	if (dir < 0 || (pid && !find_process(&q, pid)))
		return false;
	rc = debug_start(&q, out, why, sizeof(why));
	if (rc == 0) {
		dir = -1; /* it is read as long as the program is debugged */
		return true;
	}
	if (rc != -ECHILD) {
		message_error("%s: %s", path, why);
		message_hint("`sandrec doctor` says what this machine offers");
	}
	return false;
}

/* ---- where clients come from ---- */

static int listen_unix(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(a.sun_path)) {
		message_error("%s: the name is too long for a socket", path);
		message_hint("choose one of at most %zu characters", sizeof(a.sun_path) - 1);
		return -1;
	}
	strcpy(a.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 1) == 0)
		return fd;
	message_error("cannot listen on %s: %s", path, strerror(errno));
	message_hint("choose a name that does not exist yet, in a directory of your own");
	if (fd >= 0)
		close(fd);
	return -1;
}

static int listen_tcp(const char *where)
{
	const char *colon = strrchr(where, ':');
	cleanup_free char *host = colon ? strndup(where, (size_t)(colon - where)) : NULL;
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	char *end;
	unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;
	int fd, one = 1;

	if (!host || !colon[1] || *end || port > 65535) {
		message_error("`%s` is no place to listen", where);
		message_hint("it is HOST:PORT, unix:PATH or stdio");
		return -1;
	}
	a.sin_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, !*host || !strcmp(host, "localhost") ? "127.0.0.1" : host, &a.sin_addr) != 1) {
		message_error("%s is not an address of this machine", host);
		message_hint("use numbers, as in 127.0.0.1:1234");
		return -1;
	}
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0) {
		message_error("cannot listen on %s: %s", where, strerror(errno));
		message_hint("choose another port; 0 means any that is free");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	message("listening on %s:%u", *host ? host : "127.0.0.1", ntohs(a.sin_port));
	return fd;
}

static int serve_socket(struct debug_target *t, int listener, bool once)
{
	int one = 1;

	do {
		cleanup_close int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0 && errno == EINTR)
			continue;
		if (fd < 0) {
			message_error("cannot accept a client: %s", strerror(errno));
			return STATUS_FAILED;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (stub_serve(t, fd, fd) == STUB_KILLED)
			break;
	} while (!once);
	return STATUS_OK;
}

static int serve_stdio(const struct options *o, const char *name)
{
	struct debug_target *t;
	int out = dup(STDOUT_FILENO);

	/* What the program prints may not get between the packets. */
	if (out < 0 || !serve_begin(name, o->pid, o->quiet, STDERR_FILENO, &t))
		return STATUS_FAILED;
	stub_serve(t, STDIN_FILENO, out);
	debug_end(t);
	return STATUS_OK;
}

int cmd_serve(int argc, char **argv)
{
	struct options o = { .listen = "127.0.0.1:0" };
	struct debug_target *t;
	int first, status, listener;
	const char *name;

	if (!options_parse(&command, argc, argv, &o, &first, &status))
		return status;
	name = first < argc ? argv[first] : NULL;
	if (!strcmp(o.listen, "stdio"))
		return serve_stdio(&o, name);
	listener = !strncmp(o.listen, "unix:", 5) ? listen_unix(o.listen + 5) : listen_tcp(o.listen);
	if (listener < 0)
		return STATUS_FAILED;
	status = STATUS_FAILED;
	if (serve_begin(name, o.pid, o.quiet, -1, &t)) {
		status = serve_socket(t, listener, o.once);
		debug_end(t);
	}
	close(listener);
	if (!strncmp(o.listen, "unix:", 5))
		unlink(o.listen + 5);
	return status;
}
