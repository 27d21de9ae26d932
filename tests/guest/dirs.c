/* Directories: making, listing, walking, the current one. */
#include "guest.h"
#include <dirent.h>
#include <ftw.h>

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void list(const char *path)
{
	struct dirent **list;
	int n = scandir(path, &list, NULL, by_name);

	printf("%s: %d entries\n", path, n);
	for (int i = 0; i < n; i++) {
		printf("  %s type %d\n", list[i]->d_name, list[i]->d_type);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}

static void many_entries(void)
{
	int dir = open("many", O_RDONLY | O_DIRECTORY), n = 0;
	struct dirent *e;
	char name[16];
	DIR *d;

	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "file%04d", i);
		CHECK(close(openat(dir, name, O_WRONLY | O_CREAT, 0600)) == 0);
	}
	d = fdopendir(dir);
	while ((e = readdir(d)))
		n++;
	printf("many: %d entries\n", n);
	rewinddir(d);
	SHOW(readdir(d) != NULL);
	SHOW(telldir(d) != 0);
	closedir(d);
	n = 0;
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "many/file%04d", i);
		n += unlink(name) == 0;
	}
	printf("removed %d\n", n);
}

static int visited;

static int visit(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)path;
	(void)st;
	(void)type;
	visited += 1 + at->level;
	return 0;
}

int main(void)
{
	char cwd[4096], *slash;
	char small[2];
	int fd;

	SHOW(mkdir("many", 0700));
	SHOW(mkdir("many", 0700));
	SHOW(mkdirat(AT_FDCWD, "x/y", 0700));
	SHOW(mkdir("dir/sub/deep", 0755));
	list("dir");
	list("dir/sub");
	list("none");
	many_entries();
	SHOW(nftw("dir", visit, 8, FTW_PHYS));
	printf("visited %d\n", visited);
	SHOW(chdir("dir/sub"));
	SHOW(getcwd(cwd, sizeof(cwd)) != NULL);
	slash = strrchr(cwd, '/');
	printf("now in %s\n", slash);
	SHOW(getcwd(small, sizeof(small)) != NULL);
	printf("%s\n", strerrorname_np(errno));
	fd = open("..", O_RDONLY | O_PATH);
	SHOW(fchdir(fd));
	list(".");
	SHOW(unlinkat(AT_FDCWD, "sub", AT_REMOVEDIR));
	SHOW(rmdir("sub/deep"));
	SHOW(rmdir("sub"));
	SHOW(rmdir("a"));
	SHOW(chdir("/nonexistent"));
	return guest_end();
}
