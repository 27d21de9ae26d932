/* Content-addressed files: what is stored is what was there, once per root, and is never trusted blindly. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "trace/files.h"
#include "vmm/memo.h"
#include "trace/manifest.h"
#include "trace/tracedir.h"

static char root[] = "/tmp/sandrec-files-XXXXXX";
static char path[300], file[300], why[200];
static struct files_store *store;
static int dirfd_;

static void new_trace(void)
{
	dirfd_ = tracedir_create(NULL, "prog", path, sizeof(path));
	ck_assert_int_ge(dirfd_, 0);
	ck_assert_int_eq(files_open(dirfd_, NULL, &store), 0);
}

static void end_trace(void)
{
	files_close(store);
	close(dirfd_);
}

static void setup(void)
{
	strcpy(root + strlen(root) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	setenv("SANDREC_TRACE_DIR", root, 1);
	snprintf(file, sizeof(file), "%s/original", root);
	new_trace();
}

static void teardown(void)
{
	char command[400];

	end_trace();
	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	ck_assert_int_eq(system(command), 0);
}

/* Makes the file with this text. */
static int make(const char *text)
{
	int fd = open(file, O_RDWR | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

static void check_content(const struct file_ref *ref, const char *text)
{
	char buf[100] = "";
	int fd = files_get(store, ref, 1);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(read(fd, buf, sizeof(buf)), (ssize_t)strlen(text));
	ck_assert_str_eq(buf, text);
	close(fd);
}

static char *stored(const struct file_ref *ref, bool in_store)
{
	static char name[500];

	snprintf(name, sizeof(name), "%s/%s/%016llx%016llx", in_store ? root : path, in_store ? FILES_STORE : "files",
		 (unsigned long long)ref->hash[0], (unsigned long long)ref->hash[1]);
	return name;
}

static ino_t inode(const char *name)
{
	struct stat st;

	return stat(name, &st) ? 0 : st.st_ino;
}

START_TEST(content_and_changes)
{
	struct file_ref a, b, c;
	int fd = make("one");

	ck_assert_int_eq(files_add(store, fd, &a), 0);
	check_content(&a, "one");
	ck_assert_uint_eq(a.size, 3);
	/* Same length, and most likely the same tick of the clock: seen all the same. */
	ck_assert_int_eq(pwrite(fd, "two", 3, 0), 3);
	ck_assert_int_eq(files_add(store, fd, &b), 0);
	check_content(&b, "two");
	check_content(&a, "one");
	ck_assert_int_eq(pwrite(fd, "one", 3, 0), 3);
	ck_assert_int_eq(lseek(fd, 2, SEEK_SET), 2);
	ck_assert_int_eq(files_add(store, fd, &c), 0);
	ck_assert_mem_eq(&a, &c, sizeof(a));
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 2);
	close(fd);

	/* Written through a mapping after its times were last touched. */
	fd = make("mapped");
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	p[0] = 'M';
	ck_assert_int_eq(files_add(store, fd, &a), 0);
	p[1] = 'A';
	ck_assert_int_eq(files_add(store, fd, &b), 0);
	check_content(&a, "Mapped");
	check_content(&b, "MApped");
	munmap(p, 4096);
	close(fd);
}
END_TEST

START_TEST(descriptors_of_all_kinds)
{
	struct file_ref a, b;
	int fd = make("text"), p[2];

	ck_assert_int_eq(files_add(store, fd, &a), 0);
	close(fd);
	fd = open(file, O_WRONLY);
	ck_assert_int_eq(files_add(store, fd, &b), 0);
	ck_assert_mem_eq(&a, &b, sizeof(a));
	close(fd);
	fd = open(file, O_PATH);
	ck_assert_int_eq(files_add(store, fd, &b), 0);
	ck_assert_mem_eq(&a, &b, sizeof(a));
	close(fd);
	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(files_add(store, p[0], &b), -EINVAL);
	ck_assert_int_eq(files_add(store, dirfd_, &b), -EINVAL);
	ck_assert_int_eq(files_add(store, 999, &b), -EBADF);
	close(p[0]);
	close(p[1]);
	fd = make("");
	ck_assert_int_eq(files_add(store, fd, &b), 0);
	check_content(&b, "");
	close(fd);
}
END_TEST

START_TEST(sparse)
{
	struct file_ref a;
	struct stat st;
	int fd = make("start");
	char buf[4] = "";

	ck_assert_int_eq(ftruncate(fd, 300 << 20), 0);
	ck_assert_int_eq(pwrite(fd, "mid", 3, 100 << 20), 3);
	ck_assert_int_eq(files_add(store, fd, &a), 0);
	close(fd);
	fd = files_get(store, &a, 1);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_size, 300 << 20);
	ck_assert_int_lt(st.st_blocks * 512, 4 << 20);
	ck_assert_int_eq(pread(fd, buf, 3, 100 << 20), 3);
	ck_assert_str_eq(buf, "mid");
	close(fd);
}
END_TEST

/* A file nobody touches: the C library of this machine, whatever it is called. */
static int settled_file(void)
{
	int fd = open("/bin/sh", O_RDONLY);

	ck_assert_int_ge(fd, 0);
	return fd;
}

START_TEST(once_per_root)
{
	struct file_ref a, b;
	int fd = settled_file();

	ck_assert_int_eq(files_add(store, fd, &a), 0);
	ino_t first = inode(stored(&a, false));

	ck_assert_uint_ne(first, 0);
	ck_assert_uint_eq(first, inode(stored(&a, true)));
	end_trace();

	new_trace();
	ck_assert_int_eq(files_add(store, fd, &b), 0);
	ck_assert_mem_eq(&a, &b, sizeof(a));
	ck_assert_uint_eq(first, inode(stored(&b, false)));
	end_trace();

	/* A store file that lost its bytes is not linked into a trace, and replaced. */
	ck_assert_int_eq(unlink(stored(&a, true)), 0);
	ck_assert_int_eq(close(open(stored(&a, true), O_CREAT | O_WRONLY, 0600)), 0);
	new_trace();
	ck_assert_int_eq(files_add(store, fd, &b), 0);
	int got = files_get(store, &b, 1);

	ck_assert_int_ge(got, 0);
	close(got);
	ck_assert_uint_eq(inode(stored(&b, true)), inode(stored(&b, false)));
	close(fd);
}
END_TEST

/* What one process has stored another knows, without a look at the root's store or at the file. */
START_TEST(shared_identities)
{
	struct memo *m = calloc(1, sizeof(*m));
	struct files_store *second;
	struct file_ref a, b;
	int fd = settled_file(), changing = make("content");

	ck_assert_ptr_nonnull(m);
	files_share(store, m);
	ck_assert_int_eq(files_add(store, fd, &a), 0);
	ck_assert_int_eq(files_add(store, changing, &b), 0);
	ck_assert_int_eq(files_open(dirfd_, NULL, &second), 0);
	files_share(second, m);
	ck_assert_int_eq(unlink(stored(&a, false)), 0);
	ck_assert_int_eq(unlink(stored(&b, false)), 0);
	ck_assert_int_eq(files_add(second, fd, &b), 0);
	ck_assert_mem_eq(&a, &b, sizeof(a));
	ck_assert_uint_eq(inode(stored(&b, false)), 0);
	/* One that may have changed without a trace of it is stored again. */
	ck_assert_int_eq(files_add(second, changing, &b), 0);
	ck_assert_uint_ne(inode(stored(&b, false)), 0);
	files_close(second);
	close(fd);
	close(changing);
	free(m);
}
END_TEST

static void damage(const char *name, int op)
{
	ck_assert_int_eq(chmod(name, 0600), 0);
	int fd = open(name, O_WRONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(op ? ftruncate(fd, 1) : pwrite(fd, "X", 1, 1), op ? 0 : 1);
	close(fd);
}

START_TEST(never_trusted_blindly)
{
	struct file_ref a, none = { { 1, 2 }, 3 };
	int fd = make("content");

	ck_assert_int_eq(files_add(store, fd, &a), 0);
	close(fd);
	ck_assert_int_eq(files_get(store, &none, 0), -ENOENT);
	damage(stored(&a, false), 0);
	fd = files_get(store, &a, 0);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(files_get(store, &a, 1), -EBADMSG);
	damage(stored(&a, false), 1);
	ck_assert_int_eq(files_get(store, &a, 0), -EBADMSG);
	ck_assert_int_eq(unlink(stored(&a, false)), 0);
	ck_assert_int_eq(symlink(file, stored(&a, false)), 0);
	ck_assert_int_eq(files_get(store, &a, 0), -EBADMSG);
}
END_TEST

/* What one process found to be as its name says is known to the others until it is changed. */
START_TEST(verified_for_others)
{
	struct memo *m = calloc(1, sizeof(*m));
	const struct timespec tick = { .tv_nsec = 50000000 };
	struct files_store *second;
	struct file_ref a;
	int fd = make("content");

	ck_assert_ptr_nonnull(m);
	files_share(store, m);
	ck_assert_int_eq(files_add(store, fd, &a), 0);
	close(fd);
	ck_assert_int_eq(files_open(dirfd_, NULL, &second), 0);
	files_share(second, m);
	for (int i = 0; i < 3; i++) {
		fd = files_get(i % 2 ? second : store, &a, 1);
		ck_assert_int_ge(fd, 0);
		close(fd);
	}
	nanosleep(&tick, NULL);
	damage(stored(&a, false), 0);
	ck_assert_int_eq(files_get(second, &a, 1), -EBADMSG);
	ck_assert_int_eq(files_get(store, &a, 1), -EBADMSG);
	files_close(second);
	free(m);
}
END_TEST

static int count(const char *dir)
{
	DIR *d = opendir(dir);
	int n = 0;

	for (struct dirent *e; d && (e = readdir(d));)
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

START_TEST(prune_with_the_trace)
{
	struct file_ref a;
	char dir[400], trace[300];
	int fd = settled_file();
	static struct manifest m = { .format = TRACE_FORMAT };

	snprintf(dir, sizeof(dir), "%s/" FILES_STORE, root);
	ck_assert_int_eq(files_add(store, fd, &a), 0);
	ck_assert_int_eq(manifest_write(dirfd_, &m), 0);
	end_trace();
	strcpy(trace, path);
	new_trace();
	ck_assert_int_eq(files_add(store, fd, &a), 0);
	ck_assert_int_eq(manifest_write(dirfd_, &m), 0);
	close(fd);
	ck_assert_int_eq(count(dir), 2);
	ck_assert_int_eq(tracedir_remove(trace, why, sizeof(why)), 0);
	ck_assert_int_eq(count(dir), 2);
	ck_assert_int_eq(tracedir_remove(path, why, sizeof(why)), 0);
	ck_assert_int_eq(count(dir), 1);
	strcat(dir, "/index");
	ck_assert_int_eq(count(dir), 0);
}
END_TEST

/* Several recordings start at once, the store is pruned all the time, and a file changes under them. */
START_TEST(at_once)
{
	enum { N = 4 };
	pid_t pid[N];
	int status;

	close(make("0000000000000000"));
	for (int i = 0; i < N; i++) {
		pid[i] = fork();
		if (pid[i])
			continue;
		for (int k = 0; k < 30; k++) {
			struct file_ref ref;
			int fd = k % 2 ? settled_file() : open(file, O_RDWR);

			new_trace();
			if (!(k % 2))
				ck_assert_int_eq(pwrite(fd, &"abcdefgh"[(i + k) % 8], 1, k % 16), 1);
			int ret = files_add(store, fd, &ref);
			int got = ret ? ret : files_get(store, &ref, 1);

			if (got < 0)
				_exit(1);
			close(got);
			close(fd);
			end_trace();
			if (k % 5 == i)
				files_prune(root);
		}
		_exit(0);
	}
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(waitpid(pid[i], &status, 0), pid[i]);
		ck_assert_int_eq(status, 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("files");
	TCase *t = tcase_create("files");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, content_and_changes);
	tcase_add_test(t, descriptors_of_all_kinds);
	tcase_add_test(t, sparse);
	tcase_add_test(t, once_per_root);
	tcase_add_test(t, shared_identities);
	tcase_add_test(t, never_trusted_blindly);
	tcase_add_test(t, verified_for_others);
	tcase_add_test(t, prune_with_the_trace);
	tcase_add_test(t, at_once);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}
