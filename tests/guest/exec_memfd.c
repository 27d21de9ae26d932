/* Executing files that have no name: a copy of this program in a memfd, O_TMPFILE, a deleted file, /proc/self/exe. */
#include <sys/sendfile.h>

#include "proctest.h"

#ifndef MFD_EXEC
#define MFD_NOEXEC_SEAL 0x0008U
#define MFD_EXEC 0x0010U
#endif

extern char **environ;

static char *const as_image[] = { (char *)"image", (char *)"as-image", (char *)"an argument", NULL };

static void copy_self(int fd)
{
	int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct stat st;
	off_t left;

	CHECK(in >= 0 && fstat(in, &st) == 0);
	left = st.st_size;
	while (left > 0) {
		ssize_t n = sendfile(fd, in, NULL, (size_t)left);

		CHECK(n > 0);
		if (n <= 0)
			break;
		left -= n;
	}
	close(in);
}

static int image(int argc, char **argv)
{
	char exe[4096] = "", comm[32] = "";
	int fd = open("/proc/self/comm", O_RDONLY);

	CHECK(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0 && read(fd, comm, sizeof(comm) - 1) > 0);
	close(fd);
	fd = open("/proc/self/exe", O_RDONLY);
	CHECK(fd >= 0 && read(fd, comm + 16, 4) == 4 && !memcmp(comm + 16, "\177ELF", 4));
	if (strstr(exe, "tests/guest/bin") || !strncmp(exe, "/tmp", 4) || !strncmp(exe, "/var", 4))
		strcpy(exe, strstr(exe, "(deleted)") ? "a deleted file" : "a file");
	printf("%s: argc %d, %s, exe %s\n", argv[0], argc, argv[argc - 1], exe);
	return 40 + argc;
}

static int by_fexecve(void)
{
	int fd = memfd_create("the-image", MFD_CLOEXEC);

	copy_self(fd);
	fexecve(fd, as_image, environ);
	return errno;
}

static int by_proc(void)
{
	char name[40];
	int fd = memfd_create("by proc", 0);

	copy_self(fd);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	execv(name, as_image);
	return errno;
}

static int sealed(void)
{
	int fd = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	copy_self(fd);
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0);
	fexecve(fd, as_image, environ);
	return errno;
}

static int not_executable(void)
{
	int fd = memfd_create("noexec", MFD_CLOEXEC | MFD_NOEXEC_SEAL);

	if (fd < 0)
		return errno;
	copy_self(fd);
	SHOW(fchmod(fd, 0777));
	SHOW(execveat(fd, "", as_image, environ, AT_EMPTY_PATH));
	fd = memfd_create("exec", MFD_CLOEXEC | MFD_EXEC);
	copy_self(fd);
	fexecve(fd, as_image, environ);
	return errno;
}

/* The interpreter could not open what closes when it starts. */
static int script(void)
{
	static const char text[] = "#!/bin/sh\necho script in a memfd: $1; exit 21\n";
	int fd = memfd_create("script", MFD_CLOEXEC);

	CHECK(write(fd, text, sizeof(text) - 1) == sizeof(text) - 1);
	SHOW(fexecve(fd, as_image, environ));
	SHOW(execveat(fd, "", as_image, environ, AT_EMPTY_PATH));
	fcntl(fd, F_SETFD, 0);
	execveat(fd, "", as_image, environ, AT_EMPTY_PATH);
	return errno;
}

static int tmpfile_image(void)
{
	char name[40];
	int fd = open(".", O_TMPFILE | O_RDWR, 0700), ro;

	if (fd < 0)
		return errno;
	copy_self(fd);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	ro = open(name, O_RDONLY | O_CLOEXEC);
	SHOW(execveat(ro, "", as_image, environ, AT_EMPTY_PATH)); /* still open for writing */
	close(fd);
	execveat(ro, "", as_image, environ, AT_EMPTY_PATH);
	return errno;
}

static int deleted(void)
{
	int fd = open("copy", O_WRONLY | O_CREAT | O_EXCL, 0700);

	copy_self(fd);
	close(fd);
	fd = open("copy", O_RDONLY | O_CLOEXEC);
	CHECK(unlink("copy") == 0);
	fexecve(fd, as_image, environ);
	return errno;
}

static int self(void)
{
	execl("/proc/self/exe", "self", "as-image", NULL);
	return errno;
}

/* A memfd's image that executes itself again, by its name in /proc. */
static int twice(void)
{
	static char *const args[] = { (char *)"twice", (char *)"again", NULL };
	int fd = memfd_create("twice", MFD_CLOEXEC);

	copy_self(fd);
	fexecve(fd, args, environ);
	return errno;
}

static int at_flags(void)
{
	int dir = open("/bin", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid_t pid = fork();

	if (pid == 0) {
		execveat(dir, "true", as_image, environ, 0);
		_exit(99);
	}
	show_end("below a directory", pid);
	CHECK(symlink("/bin/true", "link") == 0);
	SHOW(execveat(AT_FDCWD, "link", as_image, environ, AT_SYMLINK_NOFOLLOW));
	execveat(AT_FDCWD, "link", as_image, environ, 0);
	return errno;
}

int main(int argc, char **argv)
{
	by_line();
	if (argc > 1 && !strcmp(argv[1], "as-image"))
		return image(argc, argv);
	if (argc > 1 && !strcmp(argv[1], "again"))
		return self();
	in_child("fexecve", by_fexecve);
	in_child("/proc/self/fd", by_proc);
	in_child("sealed", sealed);
	in_child("MFD_NOEXEC_SEAL", not_executable);
	in_child("script", script);
	in_child("O_TMPFILE", tmpfile_image);
	in_child("deleted", deleted);
	in_child("/proc/self/exe", self);
	in_child("twice", twice);
	in_child("execveat", at_flags);
	return guest_end();
}
