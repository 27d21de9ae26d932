/* The bytes of the stub page (stubs.S), at most one page; layout in abi.h. */
#ifndef SANDREC_STUBS_H
#define SANDREC_STUBS_H

#include <stddef.h>

extern const unsigned char guestlib_stubs[];
extern const size_t guestlib_stubs_size;

/* The code of switchless system calls (switchless.S), at most one page. */
extern const unsigned char guestlib_switchless[];
extern const size_t guestlib_switchless_size;

#endif
