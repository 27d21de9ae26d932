/* Scripts: arguments, nesting, and interpreters with and without an argument. */
#include "proctest.h"

static char self[4096];

static void put(const char *name, const char *interpreter, const char *argument)
{
	char text[8300];
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0755), n;

	n = snprintf(text, sizeof(text), "#! %s%s%s\nrest\n", interpreter, *argument ? " " : "", argument);
	CHECK(fd >= 0 && write(fd, text, (size_t)n) == n);
	close(fd);
}

static int show(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		printf(" [%s]", argv[i]);
	puts("");
	return argc;
}

static void run(const char *what, const char *name)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl(name, "zeroth", "one", "", "two words", NULL);
		_exit(errno);
	}
	show_end(what, pid);
}

int main(int argc, char **argv)
{
	char arg[300];

	by_line();
	if (argc > 1 && !strncmp(argv[1], "--show", 6))
		return show(argc, argv);
	CHECK(symlink(argv[0], "interpreter") == 0);
	strcpy(self, "./interpreter");
	put("simple", self, "--show");
	run("simple", "./simple");
	put("spaces", self, "  --show with spaces  and\ttabs  ");
	run("spaces", "./spaces");
	put("outer", "./simple", "");
	run("nested", "./outer");
	put("outer2", "./outer", "more");
	run("nested twice", "./outer2");
	put("outer3", "./outer2", "");
	put("outer4", "./outer3", "last");
	put("outer5", "./outer4", "");
	run("nested four times", "./outer4");
	run("nested too deep", "./outer5");
	memset(arg, 'x', sizeof(arg));
	memcpy(arg, "--show", 6);
	arg[200] = '\0';
	put("long", self, arg);
	run("long", "./long");
	arg[200] = 'x';
	arg[299] = '\0';
	put("longer", self, arg);
	run("longer", "./longer");
	put("echo", "/bin/echo", "-e");
	run("echo", "./echo");
	return guest_end();
}
