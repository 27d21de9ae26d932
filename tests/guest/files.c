/* Regular files: the calls on descriptors and on names. */
#include "guest.h"
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

static void read_write_seek(void)
{
	char b[64] = "";
	int fd = open("data", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

	CHECK(fd >= 0);
	SHOW(write(fd, "hello, file", 11));
	SHOW(lseek(fd, 0, SEEK_SET));
	SHOW(read(fd, b, sizeof(b)));
	printf("'%s'\n", b);
	SHOW(pwrite(fd, "HELLO", 5, 7));
	SHOW(pread(fd, b, 5, 7));
	SHOW(lseek(fd, -3, SEEK_END));
	SHOW(lseek(fd, -300, SEEK_END));
	SHOW(read(fd, b, sizeof(b)));
	SHOW(read(fd, b, sizeof(b)));
	SHOW(ftruncate(fd, 5000));
	SHOW(lseek(fd, 0, SEEK_HOLE) >= 11);
	SHOW(posix_fallocate(fd, 0, 8192));
	SHOW(fdatasync(fd));
	SHOW(fsync(fd));
	SHOW(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
	SHOW(readahead(fd, 0, 4096));
	SHOW(flock(fd, LOCK_EX | LOCK_NB));
	SHOW(flock(fd, LOCK_UN));
	SHOW(close(fd));
	SHOW(close(fd));
	SHOW(read(fd, b, 1));
	SHOW(open("data", O_RDWR | O_CREAT | O_EXCL, 0640));
	SHOW(open("nothing", O_RDONLY));
	SHOW(open("data/x", O_RDONLY));
}

static void vectors(void)
{
	char a[4] = "", b[8] = "", c[16] = "";
	struct iovec out[3] = { { "one ", 4 }, { "two ", 4 }, { "three", 5 } };
	struct iovec in[3] = { { a, 3 }, { b, 7 }, { c, 15 } };
	int fd = open("vectors", O_RDWR | O_CREAT | O_TRUNC, 0600);

	SHOW(writev(fd, out, 3));
	SHOW(lseek(fd, 0, SEEK_SET));
	SHOW(readv(fd, in, 3));
	printf("'%s' '%s' '%s'\n", a, b, c);
	SHOW(pwritev(fd, out, 2, 100));
	SHOW(preadv(fd, in, 3, 98));
	SHOW(preadv2(fd, in, 3, 1, 0));
	SHOW(preadv2(fd, in, 3, 1, 1 << 30));
	SHOW(pwritev2(fd, out, 3, 0, RWF_DSYNC));
	SHOW(syscall(SYS_readv, fd, in, -1));
	SHOW(syscall(SYS_readv, fd, NULL, 2));
	SHOW(close(fd));
}

static void status(void)
{
	struct stat st;
	struct statx sx;
	struct statfs fs;
	struct statvfs vfs;
	struct timespec times[2] = { { 1000000000, 5 }, { 1100000000, 7 } };

	SHOW(chmod("data", 0604));
	SHOW(stat("data", &st));
	printf("mode %o size %ld links %ld\n", st.st_mode, (long)st.st_size, (long)st.st_nlink);
	SHOW(utimensat(AT_FDCWD, "data", times, 0));
	SHOW(stat("data", &st));
	printf("atime %ld.%ld mtime %ld.%ld\n", st.st_atim.tv_sec, st.st_atim.tv_nsec, st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	SHOW(statx(AT_FDCWD, "data", 0, STATX_BASIC_STATS, &sx));
	printf("statx size %llu mtime %lld.%u\n", (unsigned long long)sx.stx_size, (long long)sx.stx_mtime.tv_sec, sx.stx_mtime.tv_nsec);
	SHOW(fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH));
	printf("directory %d\n", S_ISDIR(st.st_mode));
	SHOW(statfs(".", &fs));
	SHOW(statvfs(".", &vfs));
	CHECK(fs.f_bsize > 0 && vfs.f_bsize == (unsigned long)fs.f_bsize);
	SHOW(access("data", R_OK));
	SHOW(faccessat(AT_FDCWD, "nothing", F_OK, 0));
	SHOW(chown("data", -1, -1));
	SHOW(truncate("data", 3));
	SHOW(truncate("data", -1));
	SHOW(umask(027));
	SHOW(umask(022));
}

static void names(void)
{
	char b[64] = "";
	struct stat st;

	SHOW(link("data", "data.link"));
	SHOW(symlink("data", "data.sym"));
	SHOW(symlink("nowhere", "dangling"));
	SHOW(readlink("data.sym", b, sizeof(b)));
	printf("-> %s\n", b);
	SHOW(readlink("data.sym", b, 2));
	SHOW(readlink("data", b, sizeof(b)));
	SHOW(lstat("dangling", &st));
	SHOW(stat("dangling", &st));
	SHOW(rename("data.link", "data.new"));
	SHOW(rename("nothing", "data.new"));
	SHOW(renameat2(AT_FDCWD, "data.new", AT_FDCWD, "data", RENAME_NOREPLACE));
	SHOW(unlink("data.new"));
	SHOW(unlink("data.new"));
	SHOW(unlink("."));
	SHOW(mkfifo("fifo", 0600));
	SHOW(stat("fifo", &st));
	printf("fifo %d\n", S_ISFIFO(st.st_mode));
	SHOW(open("fifo", O_WRONLY | O_NONBLOCK));
}

static void descriptors(void)
{
	int fd = open("data", O_RDONLY), copy;

	CHECK(fd >= 3);
	copy = dup(fd);
	CHECK(copy == fd + 1);
	SHOW(dup2(fd, 77));
	SHOW(dup3(fd, 78, O_CLOEXEC));
	SHOW(dup3(fd, fd, 0));
	SHOW(dup2(1000000, 5));
	SHOW(fcntl(77, F_GETFD));
	SHOW(fcntl(78, F_GETFD));
	SHOW(fcntl(fd, F_DUPFD, 90));
	SHOW(fcntl(fd, F_DUPFD_CLOEXEC, 90));
	SHOW(fcntl(fd, F_GETFL) & O_ACCMODE);
	SHOW(fcntl(fd, F_SETFL, O_NONBLOCK));
	SHOW((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	SHOW(close_range(77, 95, 0));
	SHOW(fcntl(77, F_GETFD));
	SHOW(fcntl(fd, F_GETFD));
	SHOW(fcntl(fd, 9999, 0));
}

static void locks(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 20 };
	int fd = open("locked", O_RDWR | O_CREAT, 0600);

	SHOW(fcntl(fd, F_SETLK, &lock));
	SHOW(fcntl(fd, F_GETLK, &lock));
	printf("lock type %d\n", lock.l_type == F_UNLCK);
	lock.l_type = F_WRLCK;
	SHOW(fcntl(fd, F_OFD_GETLK, &lock));
	printf("held by another: %d, %ld+%ld\n", lock.l_type == F_WRLCK, (long)lock.l_start, (long)lock.l_len);
	SHOW(close(fd));
}

static void attributes(void)
{
	char b[64] = "";
	int r = setxattr("data", "user.colour", "blue", 4, 0);

	/* Not every file system has them; what it says has to be the same. */
	SHOW(r);
	if (r)
		return;
	SHOW(getxattr("data", "user.colour", b, sizeof(b)));
	printf("%s\n", b);
	SHOW(getxattr("data", "user.colour", b, 1));
	SHOW(getxattr("data", "user.colour", NULL, 0));
	SHOW(getxattr("data", "user.none", b, sizeof(b)));
	SHOW(listxattr("data", b, sizeof(b)) >= 12);
	SHOW(removexattr("data", "user.colour"));
}

static void bad_pointers(void)
{
	int fd = open("data", O_RDWR);

	SHOW(syscall(SYS_read, fd, 8, 2));
	SHOW(syscall(SYS_write, fd, 8, 2));
	SHOW(syscall(SYS_read, fd, 0xffff888000000000, 2));
	SHOW(syscall(SYS_write, fd, 0x7fffffffffff, 2));
	SHOW(syscall(SYS_open, 8, O_RDONLY));
	SHOW(syscall(SYS_stat, 8, 16));
	SHOW(syscall(SYS_stat, "data", 8));
	SHOW(syscall(SYS_pipe2, 16, 0));
	SHOW(close(fd));
}

int main(void)
{
	read_write_seek();
	vectors();
	status();
	names();
	descriptors();
	locks();
	attributes();
	bad_pointers();
	return guest_end();
}
