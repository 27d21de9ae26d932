/* sandrec rm: removes recordings. */
#include <errno.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/message.h"
#include "trace/files.h"
#include "trace/tracedir.h"

static const struct cli_command command = {
	.name = "rm",
	.operands = "TRACE...",
	.summary = "remove recordings",
	.text = "TRACE is a directory or a name that `sandrec ls` shows. Only recordings are removed.",
	.min = 1,
	.max = -1,
};

int cmd_rm(int argc, char **argv)
{
	char why[256], root[4096];
	int first, status, failed = 0;

	if (!options_parse(&command, argc, argv, NULL, &first, &status))
		return status;
	for (int i = first; i < argc; i++) {
		int rc;

		why[0] = '\0';
		rc = tracedir_remove(argv[i], why, sizeof(why));
		if (rc >= 0)
			continue;
		message_error("%s: %s", argv[i], why[0] ? why : rc == -ENOENT ? "no such recording" : strerror(-rc));
		failed++;
	}
	if (failed)
		message_hint("`sandrec ls` lists the recordings");
	if (failed < argc - first && !tracedir_root(root, sizeof(root), 0))
		files_prune(root);
	return failed ? STATUS_FAILED : STATUS_OK;
}
