/*
 * The image of the guest's vDSO: a complete ELF shared object of at most 8 KiB with one read-and-execute segment at
 * address 0 and no relocations. Copy it to page-aligned memory (GUEST_VDSO), pass the address as AT_SYSINFO_EHDR.
 */
#ifndef SANDREC_VDSO_H
#define SANDREC_VDSO_H

#include <stddef.h>

extern const unsigned char guest_vdso_image[];
extern const size_t guest_vdso_size;

#endif
