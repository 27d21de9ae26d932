/*
 * Random bytes, and packets bent at random, from a client of the stub: no crash, no read outside, and it ends when the
 * client has gone. Runs for two seconds, or SECONDS_TO_FUZZ; or on libFuzzer.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gdbstub/stub.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/stub_target.h"

#define INPUT_MAX 60000 /* less than a pipe holds */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int null = -1;
	int in[2];

	if (null < 0)
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (size > INPUT_MAX || null < 0 || pipe(in) < 0)
		return 0;
	if (write(in[1], data, size) != (ssize_t)size)
		abort();
	close(in[1]);
	if (stub_serve(toy_begin(), in[0], null) < 0)
		abort();
	close(in[0]);
	return 0;
}

#ifndef LIBFUZZER

static const char *const words[] = {
	"qSupported:multiprocess+;swbreak+;fork-events+", "QStartNoAckMode", "?", "g", "G", "p10", "P0=0000000000000000", "m1000,40",
	"mffffffffffffffff,ffffffffffffffff", "M1000,2:0011", "X1000,3:abc", "x1000,ff", "Z0,1004,1", "z0,1004,1", "Z2,1000,8", "vCont?",
	"vCont;c", "vCont;s:p2a.2b;c", "vCont;r1000,1010:2b", "bs", "bc", "c", "s", "C05", "Hg2b", "Hgp63.63", "Hc-1", "T2b", "D", "D;2a",
	"k", "!", "R00", "vRun;", "vKill;2a", "qC", "qfThreadInfo", "qsThreadInfo", "qThreadExtraInfo,2b", "qRcmd,6869",
	"qXfer:features:read:target.xml:0,1000", "qXfer:threads:read::0,1000", "qXfer:auxv:read::0,ffffffff",
	"qXfer:siginfo:read::0,80", "qXfer:exec-file:read:2a:0,100", "vFile:open:2f62696e2f746f79,0,0", "vFile:pread:0,ffff,0",
	"vFile:fstat:0", "vFile:close:0", "vFile:setfs:0", "vFile:pread:f,1,ffffffffffffffff", "QCatchSyscalls:1;1;ffffffffffff",
	"QPassSignals:1;2;ffffffffffffffffff", "qAttached", "qSymbol::", "qXfer:libraries-svr4:read::0,1000", "QThreadEvents:1",
	"vFile:stat:2f62696e2f746f79", "vFile:lstat:2f78", "vFile:readlink:2f70726f632f34322f657865",
};

static size_t put_packet(uint8_t *buf)
{
	char body[512];
	const char *w = words[fuzz_next() % (sizeof(words) / sizeof(words[0]))];
	size_t n = strlen(w);
	uint8_t sum = 0;

	memcpy(body, w, n);
	for (uint64_t k = fuzz_next() % 4; k > 1; k--)
		body[fuzz_next() % n] = (char)fuzz_next();
	if (fuzz_next() % 8 == 0)
		n = fuzz_next() % n + 1;
	for (size_t i = 0; i < n; i++)
		sum = (uint8_t)(sum + (uint8_t)body[i]);
	buf[0] = '$';
	memcpy(buf + 1, body, n);
	snprintf((char *)buf + n + 1, 5, "#%02x%c", sum, fuzz_next() % 8 ? '+' : (int)(fuzz_next() & 0x7f));
	return n + 5;
}

int main(void)
{
	static uint8_t buf[16384];
	unsigned long runs = 0;

	printf("1..1\n");
	fflush(stdout);
	for (; fuzz_goes_on(runs, 200); runs++) {
		size_t len = 0;

		for (uint64_t k = fuzz_next() % 16; k; k--)
			len += put_packet(buf + len);
		for (uint64_t k = fuzz_next() % 4; k > 2 && len; k--)
			buf[fuzz_next() % len] = (uint8_t)fuzz_next();
		fuzz_exact(buf, len);
	}
	printf("ok 1 - %lu random conversations\n", runs);
	return 0;
}

#endif
