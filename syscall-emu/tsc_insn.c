/* Recognising rdtsc and rdtscp. Contract: exception.h; source: SDM vol. 2, 2.1.1 (prefixes). */
#include "syscall-emu/exception.h"

static bool is_prefix(uint8_t b)
{
	switch (b) {
	case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: /* segments */
	case 0x66: case 0x67: case 0xf2: case 0xf3:
		return true;
	}
	return (b & 0xf0) == 0x40; /* REX */
}

size_t tsc_insn(const uint8_t *code, size_t len, bool *rdtscp)
{
	size_t i = 0;

	while (i < len && is_prefix(code[i]))
		i++;
	if (len - i >= 2 && code[i] == 0x0f && code[i + 1] == 0x31) {
		*rdtscp = false;
		return i + 2;
	}
	if (len - i >= 3 && code[i] == 0x0f && code[i + 1] == 0x01 && code[i + 2] == 0xf9) {
		*rdtscp = true;
		return i + 3;
	}
	return 0;
}
