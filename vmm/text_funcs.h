/*
 * Where functions of an ELF file start, by its own account: the search table of .eh_frame_hdr, .symtab, .dynsym and the
 * entry point. The file is hostile input: nonsense in it leads to no starts, or to wrong ones, and to nothing worse.
 */
#ifndef SANDREC_TEXT_FUNCS_H
#define SANDREC_TEXT_FUNCS_H

#include "vmm/text_scan.h"

/*
 * For places in [off, off+len) of the file, given relative to off and ascending: fills start and next. What the file
 * does not tell stays as it was. fd is only read with pread().
 */
void text_funcs_near(int fd, uint64_t off, uint64_t len, struct text_place *place, size_t n);

/*
 * Of the same range: where the executable segment that has most of it ends, relative to off. Bytes behind it belong to
 * nobody. len when it does not end there, or the file does not tell.
 */
uint64_t text_funcs_end(int fd, uint64_t off, uint64_t len);

#endif
