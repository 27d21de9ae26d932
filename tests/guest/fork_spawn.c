/* posix_spawn: clone with CLONE_VM and CLONE_VFORK; errors of the child's exec come back through shared memory. */
#include <spawn.h>

#include "proctest.h"

extern char **environ;
static char *self;

static int as_child(int argc, char **argv)
{
	sigset_t now;
	char cwd[4096];

	sigprocmask(SIG_SETMASK, NULL, &now);
	printf("argc %d, %s, SPAWNED=%s, SIGUSR1 blocked %d, SIGUSR2 ignored %d\n", argc, argv[argc - 1], getenv("SPAWNED"),
	       sigismember(&now, SIGUSR1), signal(SIGUSR2, SIG_DFL) == SIG_IGN);
	printf("cwd is / %d, own group %d, own session %d\n", !strcmp(getcwd(cwd, sizeof(cwd)), "/"), getpgrp() == getpid(),
	       getsid(0) == getpid());
	printf("descriptor 9: %s\n", fcntl(9, F_GETFD) < 0 ? strerrorname_np(errno) : "open");
	return 12;
}

/* Shown when the child has ended: its own lines come first. */
static void show_spawned(const char *what, int error, const pid_t *pid)
{
	int status = error ? 0 : wait_for(*pid);

	printf("%s: %s\n", what, error ? strerrorname_np(error) : "spawned");
	if (!error)
		show_status(what, status);
}

static void plain(void)
{
	char *argv[] = { self, (char *)"as-child", (char *)"an argument", NULL };
	char *envp[] = { (char *)"SPAWNED=yes", NULL };
	pid_t pid;

	show_spawned("spawned", posix_spawn(&pid, self, NULL, NULL, argv, envp), &pid);
	show_spawned("true", posix_spawnp(&pid, "true", NULL, NULL, (char *[]){ (char *)"true", NULL }, environ), &pid);
	show_spawned("false", posix_spawnp(&pid, "false", NULL, NULL, (char *[]){ (char *)"false", NULL }, environ), &pid);
}

static void errors(void)
{
	char *argv[] = { (char *)"x", NULL };
	pid_t pid = 77;

	for (int i = 0; i < 3; i++)
		SHOW(posix_spawn(&pid, "/nonexistent", NULL, NULL, argv, environ));
	SHOW(posix_spawn(&pid, "/etc/passwd", NULL, NULL, argv, environ));
	SHOW(posix_spawn(&pid, "/etc", NULL, NULL, argv, environ));
	SHOW(posix_spawn(&pid, "/etc/passwd/x", NULL, NULL, argv, environ));
	SHOW(posix_spawnp(&pid, "there-is-no-such-program", NULL, NULL, argv, environ));
	CHECK(pid == 77);
	SHOW(waitpid(-1, NULL, WNOHANG));
}

static void actions(void)
{
	char *argv[] = { self, (char *)"as-child", (char *)"with actions", NULL };
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t set;
	pid_t pid;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 9, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addchdir_np(&fa, "/");
	posix_spawnattr_init(&at);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	posix_spawnattr_setsigmask(&at, &set);
	posix_spawnattr_setpgroup(&at, 0);
	posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
	signal(SIGUSR2, SIG_IGN);
	setenv("SPAWNED", "by actions", 1);
	show_spawned("with actions", posix_spawn(&pid, self, &fa, &at, argv, environ), &pid);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	posix_spawnattr_setsigdefault(&at, &set);
	posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
	show_spawned("with defaults", posix_spawn(&pid, self, &fa, &at, argv, environ), &pid);
	posix_spawn_file_actions_addopen(&fa, 8, "/nonexistent", O_RDONLY, 0);
	SHOW(posix_spawn(&pid, self, &fa, &at, argv, environ));
	posix_spawn_file_actions_destroy(&fa);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, 222, 1);
	SHOW(posix_spawn(&pid, self, &fa, NULL, argv, environ));
}

static void by_shell(void)
{
	char line[100];
	FILE *p = popen("echo from the shell; exit 5", "r");

	CHECK(p && fgets(line, sizeof(line), p));
	fputs(line, stdout);
	show_status("pclose", pclose(p));
	show_status("system", system("exit 6"));
	show_status("system, killed", system("kill -9 $$"));
	SHOW(system(NULL));
	p = popen("cat >&2", "w");
	CHECK(p && fputs("to the shell\n", p) >= 0);
	show_status("pclose", pclose(p));
}

int main(int argc, char **argv)
{
	by_line();
	self = argv[0];
	if (argc > 1 && !strcmp(argv[1], "as-child"))
		return as_child(argc, argv);
	plain();
	errors();
	actions();
	by_shell();
	return guest_end();
}
