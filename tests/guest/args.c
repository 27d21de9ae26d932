/* What a program gets at its start: arguments, environment, auxiliary vector. */
#include "guest.h"
#include <elf.h>
#include <sys/auxv.h>

extern char **environ;

static void show_args(int argc, char **argv)
{
	printf("argc %d\n", argc);
	for (int i = 1; i < argc; i++)
		printf("argv[%d] = '%s'\n", i, argv[i]);
	CHECK(argv[argc] == NULL);
}

static void show_environment(void)
{
	int n = 0;
	size_t bytes = 0;

	for (char **e = environ; *e; e++, n++)
		bytes += strlen(*e) + 1;
	printf("environment: %d strings, %zu bytes\n", n, bytes);
	for (char **e = environ; *e; e++)
		if (strncmp(*e, "LC_ALL=", 7) == 0 || strncmp(*e, "TZ=", 3) == 0)
			puts(*e);
}

static void show_auxv(char **argv)
{
	static const struct { unsigned long type; const char *name; } stable[] = {
		{ AT_PAGESZ, "AT_PAGESZ" }, { AT_PHENT, "AT_PHENT" }, { AT_PHNUM, "AT_PHNUM" },
		{ AT_CLKTCK, "AT_CLKTCK" }, { AT_UID, "AT_UID" }, { AT_EUID, "AT_EUID" }, { AT_GID, "AT_GID" },
		{ AT_EGID, "AT_EGID" }, { AT_SECURE, "AT_SECURE" }, { AT_FLAGS, "AT_FLAGS" },
	};
	const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
	unsigned any = 0;

	for (size_t i = 0; i < sizeof(stable) / sizeof(stable[0]); i++)
		printf("%s %lu\n", stable[i].name, getauxval(stable[i].type));
	printf("AT_PLATFORM %s\n", (const char *)getauxval(AT_PLATFORM));
	CHECK(strcmp((const char *)getauxval(AT_EXECFN), argv[0]) == 0);
	CHECK(getauxval(AT_ENTRY) != 0 && getauxval(AT_PHDR) != 0 && getauxval(AT_SYSINFO_EHDR) != 0);
	for (int i = 0; i < 16; i++)
		any |= random[i];
	CHECK(any != 0);
}

static void check_stack_is_aligned(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	CHECK(here % 16 == 0);
}

int main(int argc, char **argv)
{
	show_args(argc, argv);
	show_environment();
	show_auxv(argv);
	check_stack_is_aligned();
	return guest_end();
}
