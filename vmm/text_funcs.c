/* Function starts of ELF files. Contract: text_funcs.h. Sources: the gABI; LSB core on .eh_frame_hdr, DWARF encodings. */
#include <elf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/cleanup.h"
#include "vmm/text_funcs.h"

#define PHDRS_MAX 128
#define SECTIONS_MAX 4096
#define SYMBOLS_MAX (4u << 20)
#define SYMBOLS_AT_ONCE 1024
#define TABLE_AT_ONCE 4096
#define TABLE_MAX (8u << 20)

/* The only encodings linkers write. */
#define ENC_UDATA4 0x03
#define ENC_SDATA4 0x0b
#define ENC_PCREL_SDATA4 0x1b
#define ENC_DATAREL_SDATA4 0x3b
#define EH_HEADER 12 /* version, three encodings, pointer, count */

struct reader {
	int fd;
	uint64_t base, len; /* link-time address of the code's first byte */
	struct text_place *place;
	size_t n;
};

static bool get(int fd, void *buf, size_t len, uint64_t off)
{
	return off <= INT64_MAX - len && pread(fd, buf, len, (off_t)off) == (ssize_t)len;
}

/* A function starts at this address: news for the first place behind it and the last one before. */
static void function_at(struct reader *r, uint64_t addr)
{
	uint64_t at = addr - r->base;
	size_t lo = 0, hi = r->n;

	if (at >= r->len)
		return;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (r->place[mid].off < at)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < r->n && (r->place[lo].start == TEXT_UNKNOWN || r->place[lo].start < at))
		r->place[lo].start = at;
	if (lo > 0 && r->place[lo - 1].next > at)
		r->place[lo - 1].next = at;
}

/* What is nearest to a neighbour may be nearest to a place as well. */
static void spread(struct reader *r)
{
	for (size_t i = 1; i < r->n; i++) {
		uint64_t before = r->place[i - 1].start;

		if (before != TEXT_UNKNOWN && (r->place[i].start == TEXT_UNKNOWN || r->place[i].start < before))
			r->place[i].start = before;
	}
	for (size_t i = r->n; i-- > 1;)
		if (r->place[i].next < r->place[i - 1].next)
			r->place[i - 1].next = r->place[i].next;
}

static void read_eh_table(struct reader *r, const Elf64_Phdr *ph)
{
	cleanup_free int32_t *entry = malloc(TABLE_AT_ONCE * 2 * sizeof(*entry));
	uint64_t at = ph->p_offset + EH_HEADER;
	uint8_t head[EH_HEADER];
	uint32_t count;

	if (!entry || ph->p_filesz < EH_HEADER || !get(r->fd, head, sizeof(head), ph->p_offset))
		return;
	memcpy(&count, head + 8, sizeof(count));
	if (head[0] != 1 || head[1] != ENC_PCREL_SDATA4 || (head[2] != ENC_UDATA4 && head[2] != ENC_SDATA4) ||
	    head[3] != ENC_DATAREL_SDATA4 || count > TABLE_MAX || count > (ph->p_filesz - EH_HEADER) / 8)
		return;
	while (count) {
		uint32_t n = count < TABLE_AT_ONCE ? count : TABLE_AT_ONCE;

		if (!get(r->fd, entry, n * 8, at))
			return;
		for (uint32_t i = 0; i < n; i++)
			function_at(r, ph->p_vaddr + (uint64_t)(int64_t)entry[2 * i]);
		at += n * 8;
		count -= n;
	}
}

static void read_symbols(struct reader *r, const Elf64_Shdr *sh)
{
	cleanup_free Elf64_Sym *sym = malloc(SYMBOLS_AT_ONCE * sizeof(*sym));
	uint64_t count = sh->sh_size / sizeof(*sym), at = sh->sh_offset;

	if (!sym || sh->sh_entsize != sizeof(*sym) || count > SYMBOLS_MAX)
		return;
	while (count) {
		uint64_t n = count < SYMBOLS_AT_ONCE ? count : SYMBOLS_AT_ONCE;

		if (!get(r->fd, sym, n * sizeof(*sym), at))
			return;
		for (uint64_t i = 0; i < n; i++) {
			unsigned type = ELF64_ST_TYPE(sym[i].st_info);

			if ((type == STT_FUNC || type == STT_GNU_IFUNC) && sym[i].st_shndx != SHN_UNDEF)
				function_at(r, sym[i].st_value);
		}
		at += n * sizeof(*sym);
		count -= n;
	}
}

static void read_sections(struct reader *r, const Elf64_Ehdr *eh)
{
	cleanup_free Elf64_Shdr *sh = NULL;

	if (!eh->e_shoff || !eh->e_shnum || eh->e_shnum > SECTIONS_MAX || eh->e_shentsize != sizeof(*sh))
		return;
	sh = malloc(eh->e_shnum * sizeof(*sh));
	if (!sh || !get(r->fd, sh, eh->e_shnum * sizeof(*sh), eh->e_shoff))
		return;
	for (unsigned i = 0; i < eh->e_shnum; i++)
		if (sh[i].sh_type == SHT_SYMTAB || sh[i].sh_type == SHT_DYNSYM)
			read_symbols(r, &sh[i]);
}

/* The executable segment that has most of the range. */
static const Elf64_Phdr *find_segment(const Elf64_Phdr *ph, unsigned n, uint64_t off, uint64_t len)
{
	const Elf64_Phdr *found = NULL;
	uint64_t best = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t from = ph[i].p_offset > off ? ph[i].p_offset : off;
		uint64_t end = ph[i].p_offset + ph[i].p_filesz, to = end < off + len ? end : off + len;

		if (ph[i].p_type != PT_LOAD || !(ph[i].p_flags & PF_X) || end < ph[i].p_offset || from >= to ||
		    to - from <= best)
			continue;
		best = to - from;
		found = &ph[i];
	}
	return found;
}

static bool read_headers(int fd, Elf64_Ehdr *eh, Elf64_Phdr ph[static PHDRS_MAX])
{
	return get(fd, eh, sizeof(*eh), 0) && !memcmp(eh->e_ident, ELFMAG, SELFMAG) && eh->e_ident[EI_CLASS] == ELFCLASS64 &&
	       eh->e_machine == EM_X86_64 && eh->e_phentsize == sizeof(ph[0]) && eh->e_phnum <= PHDRS_MAX &&
	       get(fd, ph, eh->e_phnum * sizeof(ph[0]), eh->e_phoff);
}

uint64_t text_funcs_end(int fd, uint64_t off, uint64_t len)
{
	const Elf64_Phdr *segment;
	Elf64_Phdr ph[PHDRS_MAX];
	Elf64_Ehdr eh;
	uint64_t end;

	if (!read_headers(fd, &eh, ph))
		return len;
	segment = find_segment(ph, eh.e_phnum, off, len);
	end = segment ? segment->p_offset + segment->p_filesz : off + len;
	return end - off < len ? end - off : len;
}

void text_funcs_near(int fd, uint64_t off, uint64_t len, struct text_place *place, size_t n)
{
	struct reader r = { .fd = fd, .len = len, .place = place, .n = n };
	const Elf64_Phdr *segment;
	Elf64_Phdr ph[PHDRS_MAX];
	Elf64_Ehdr eh;

	if (!read_headers(fd, &eh, ph))
		return;
	segment = find_segment(ph, eh.e_phnum, off, len);
	if (!segment)
		return;
	r.base = segment->p_vaddr - segment->p_offset + off;
	if (eh.e_entry)
		function_at(&r, eh.e_entry);
	for (unsigned i = 0; i < eh.e_phnum; i++)
		if (ph[i].p_type == PT_GNU_EH_FRAME)
			read_eh_table(&r, &ph[i]);
	read_sections(&r, &eh);
	spread(&r);
}
