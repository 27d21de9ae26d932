/*
 * A quotation for the day: the date, and a line of a file by chance. The worked example of doc/regression.md, and what
 * tests/test_exec.sh changes in one line: -DQUOTE_READ, -DQUOTE_OPEN, -DQUOTE_MESSAGE.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#ifdef QUOTE_READ
#define AT_ONCE 512
#else
#define AT_ONCE 1024
#endif
#ifdef QUOTE_MESSAGE
#define GREETING "Today is"
#else
#define GREETING "It is"
#endif

static void say_date(void)
{
	time_t now = time(NULL);
	char text[64];

	strftime(text, sizeof(text), "%A, %d %B %Y", gmtime(&now));
	printf(GREETING " %s.\n", text);
}

static size_t read_lines(const char *name, char *buf, size_t size)
{
	int fd = open(name, O_RDONLY);
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0) {
		perror(name);
		exit(1);
	}
	while (n > 0 && len + AT_ONCE < size) {
		n = read(fd, buf + len, AT_ONCE);
		len += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	buf[len] = '\0';
	return len;
}

static void say_one_of(char *lines)
{
	char *line[1000];
	unsigned n = 0, chance;

	for (char *l = strtok(lines, "\n"); l && n < 1000; l = strtok(NULL, "\n"))
		line[n++] = l;
	if (n && getrandom(&chance, sizeof(chance), 0) == sizeof(chance))
		puts(line[chance % n]);
}

int main(int argc, char **argv)
{
	static char lines[65536];

	read_lines(argc > 1 ? argv[1] : "quotes.txt", lines, sizeof(lines));
	say_date();
#ifdef QUOTE_OPEN
	close(open("/etc/hostname", O_RDONLY));
#endif
	say_one_of(lines);
	return 0;
}
