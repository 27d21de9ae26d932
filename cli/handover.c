/* The new image of sandrec after a guest's execve: record/handover.h. Not a command for people. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/message.h"
#include "cli/outcome.h"
#include "record/handover.h"
#include "replay/replay.h"

int cmd_handover(int argc, char **argv)
{
	static struct handover h; /* kept: the CPU table and the host are used as long as the process lives */
	struct exec_request q = { .fd = -1 };
	int rc = argc == 2 ? handover_read(atoi(argv[1]), &h, &q) : -1;

	if (rc < 0) {
		message_error("this is how sandrec starts itself again");
		message_hint("use `sandrec run`");
		return STATUS_USAGE;
	}
	if (h.kind == HANDOVER_REPLAY) {
		struct replay_result res = { 0 };

		rc = replay_resume(&h, &res);
		return replay_outcome(rc, "the recording", &res);
	}
	handover_resume(&h, &q);
}
