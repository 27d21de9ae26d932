/*
 * The libraries the dynamic loader has loaded, as gdb wants to be told of them (qXfer:libraries-svr4): read out of the
 * program's memory. Sources: <link.h>, <elf.h> and the System V ABI for the structures; "Debugging with GDB", Library List
 * Format for SVR4 Targets. All of it is the program's, and may be anything.
 */
#include <elf.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "gdbstub/stub_int.h"

#define LIBRARIES_MAX 4096
#define NAMESPACES_MAX 64
#define DYNAMIC_MAX 1024 /* entries */
#define PHDRS_MAX 256

/* struct r_debug, with what glibc has appended to it since version 2. */
struct debug_map {
	int32_t version, pad;
	uint64_t map, brk;
	int32_t state, pad2;
	uint64_t ldbase, next;
};

struct link_entry {
	uint64_t addr, name, ld, next, prev;
};

static bool get(struct stub *s, uint64_t addr, void *buf, size_t len)
{
	return addr && s->t->ops->read(s->t, addr, buf, len) == (ssize_t)len;
}

static uint64_t from_auxv(struct stub *s, uint64_t type)
{
	Elf64_auxv_t a;

	for (uint64_t off = 0; s->t->ops->auxv(s->t, off, &a, sizeof(a)) == sizeof(a) && a.a_type != AT_NULL; off += sizeof(a))
		if (a.a_type == type)
			return a.a_un.a_val;
	return 0;
}

/* Where the program's dynamic section is: 0 when it has none. */
static uint64_t find_dynamic(struct stub *s)
{
	uint64_t at = from_auxv(s, AT_PHDR), n = from_auxv(s, AT_PHNUM), bias = 0;
	Elf64_Phdr ph;

	/* Program headers come in no order that could be relied on: once for where it is loaded, once for the section. */
	for (uint64_t i = 0; i < n && i < PHDRS_MAX && get(s, at + i * sizeof(ph), &ph, sizeof(ph)); i++)
		if (ph.p_type == PT_PHDR)
			bias = at - ph.p_vaddr;
	for (uint64_t i = 0; i < n && i < PHDRS_MAX && get(s, at + i * sizeof(ph), &ph, sizeof(ph)); i++)
		if (ph.p_type == PT_DYNAMIC)
			return bias + ph.p_vaddr;
	return 0;
}

/* What the loader has written there for debuggers; 0 before it has run. */
static uint64_t find_debug_map(struct stub *s)
{
	uint64_t at = find_dynamic(s);
	Elf64_Dyn d;

	for (unsigned i = 0; at && i < DYNAMIC_MAX && get(s, at + i * sizeof(d), &d, sizeof(d)) && d.d_tag != DT_NULL; i++)
		if (d.d_tag == DT_DEBUG)
			return d.d_un.d_ptr;
	return 0;
}

static void put_name(struct stub *s, uint64_t addr, FILE *f)
{
	char name[4097];
	ssize_t n = addr ? s->t->ops->read(s->t, addr, name, sizeof(name) - 1) : 0;

	name[n > 0 ? n : 0] = 0;
	for (const unsigned char *c = (unsigned char *)name; *c; c++) {
		if (strchr("<>&\"'", *c))
			fprintf(f, "&#%u;", *c);
		else
			putc(*c < ' ' ? '?' : *c, f);
	}
}

/* The libraries of one namespace, which gdb knows by the address of its map. The first one's first entry is the program. */
static void put_namespace(struct stub *s, uint64_t map, uint64_t at, bool first, unsigned *n, FILE *f)
{
	struct link_entry e;

	for (; *n < LIBRARIES_MAX && get(s, at, &e, sizeof(e)); at = e.next, first = false) {
		(*n)++;
		if (first)
			continue;
		fputs("<library name=\"", f);
		put_name(s, e.name, f);
		fprintf(f, "\" lm=\"%#llx\" l_addr=\"%#llx\" l_ld=\"%#llx\" lmid=\"%#llx\"/>", (unsigned long long)at,
			(unsigned long long)e.addr, (unsigned long long)e.ld, (unsigned long long)map);
	}
}

/* The next namespace behind the one at `at`, which only glibc 2.35 and later say; 0: there is none. */
static uint64_t next_namespace(struct stub *s, uint64_t at)
{
	struct debug_map map;

	return get(s, at, &map, sizeof(map)) && map.version >= 2 ? map.next : 0;
}

char *stub_libraries_xml(struct stub *s)
{
	uint64_t at = find_debug_map(s);
	struct debug_map map = { 0 };
	char *text = NULL;
	unsigned n = 0;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fputs("<library-list-svr4 version=\"1.0\"", f);
	if (get(s, at, &map, offsetof(struct debug_map, next)) && map.map)
		fprintf(f, " main-lm=\"%#llx\"", (unsigned long long)map.map);
	putc('>', f);
	for (unsigned i = 0; i < NAMESPACES_MAX && get(s, at, &map, offsetof(struct debug_map, next)); i++) {
		put_namespace(s, at, map.map, i == 0, &n, f);
		at = next_namespace(s, at);
	}
	fputs("</library-list-svr4>", f);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}
