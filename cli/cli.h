/*
 * The commands of sandrec: their entry points (called with argv[0] = the command's name; the result is the exit status)
 * and the statuses. Descriptions and option tables are beside the commands, found through the table in main.c.
 */
#ifndef SANDREC_CLI_H
#define SANDREC_CLI_H

#include "cli/options.h"

enum exit_status {
	STATUS_OK = 0,
	STATUS_FAILED = 1,        /* the command could not do it; a message said why */
	STATUS_USAGE = 2,         /* wrong command line */
	STATUS_DIVERGED = 70,     /* replay: the program did something else than it did when recorded */
	STATUS_RUN_FAILED = 125,  /* run: sandrec's own failure, so that it cannot be taken for the program's */
	STATUS_CANNOT_EXEC = 126, /* run: the program was found and cannot be executed */
	STATUS_NOT_FOUND = 127    /* run: no such program */
};

int cmd_handover(int argc, char **argv); /* internal */
int cmd_run(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_gdb(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_dump(int argc, char **argv);
int cmd_ls(int argc, char **argv);
int cmd_ps(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_rm(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_pack(int argc, char **argv);
int cmd_chaos(int argc, char **argv);
int cmd_test(int argc, char **argv);
int cmd_timeline(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_syscalls(int argc, char **argv);

#endif
