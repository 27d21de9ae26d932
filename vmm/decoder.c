/* Contract: decoder.h. */
#include "vmm/decoder.h"

struct decoder {
	csh cs;
	cs_insn *insn;
};

static __thread struct decoder decoders[2];

static struct decoder *decoder(bool detail)
{
	struct decoder *it = &decoders[detail];

	if (it->insn)
		return it;
	if (!it->cs) {
		if (cs_open(CS_ARCH_X86, CS_MODE_64, &it->cs) != CS_ERR_OK) {
			it->cs = 0;
			return NULL;
		}
		cs_option(it->cs, CS_OPT_DETAIL, detail ? CS_OPT_ON : CS_OPT_OFF);
	}
	it->insn = cs_malloc(it->cs);
	return it->insn ? it : NULL;
}

const cs_insn *decoder_insn(const uint8_t *code, size_t len, uint64_t addr, bool detail)
{
	struct decoder *d = decoder(detail);

	return d && cs_disasm_iter(d->cs, &code, &len, &addr, d->insn) ? d->insn : NULL;
}

csh decoder_handle(bool detail)
{
	return decoders[detail].cs;
}
