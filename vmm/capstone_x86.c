/*
 * capstone's archive refers to the decoders of all its architectures from one function. They are four fifths of a static
 * sandrec, with 75,000 addresses in tables, which every new program image would relocate before it does anything else: 1.3
 * ms and 340 pages of private memory for each execve of a program. These stand-ins keep the linker from taking them
 * in; cs_open() of another architecture fails. configure tries whether the library at hand links so.
 */
#include <capstone/capstone.h>

#define OTHER(arch)                                            \
	int arch##_global_init(void *handle);                  \
	int arch##_option(void *handle, int type, size_t value); \
	int arch##_global_init(void *handle)                   \
	{                                                      \
		(void)handle;                                  \
		return CS_ERR_ARCH;                            \
	}                                                      \
	int arch##_option(void *handle, int type, size_t value) \
	{                                                      \
		(void)handle, (void)type, (void)value;         \
		return CS_ERR_ARCH;                            \
	}

OTHER(AArch64)
OTHER(ARM)
OTHER(EVM)
OTHER(M680X)
OTHER(M68K)
OTHER(Mips)
OTHER(PPC)
OTHER(Sparc)
OTHER(SystemZ)
OTHER(TMS320C64x)
OTHER(XCore)
