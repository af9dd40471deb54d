/* The command `juggle`: what the tasks of a running program are doing. */
#include "print.h"

#include <errno.h>
#include <getopt.h>
#include <juggle/common.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: juggle ps [-b] [--no-stop] PID       a table of the tasks of a program that uses Juggle\n"
    "       juggle pstree [-s] [--no-stop] PID   the tree of its tasks, with the functions that each is in\n"
    "\n"
    "  -b, --backtrace   with the functions that each task is in\n"
    "  -s, --short       without them\n"
    "      --no-stop     do not stop the program's loops while they are looked at, which takes the longer the more\n"
    "                    tasks there are (some hundred milliseconds for 10,000): what is shown may not fit together,\n"
    "                    and of running tasks nothing more is known\n"
    "  -h, --help        this text\n"
    "      --version     the version\n"
    "\n"
    "The program need not help: this works on loops that are stuck and on programs that were stripped. It takes the\n"
    "right to trace the process: the same user's or root's, see ptrace(2).\n";

static _Noreturn void fail_usage(const char *what, const char *argument)
{
    fprintf(stderr, "juggle: %s%s; see juggle --help\n", what, argument);
    exit(2);
}

static pid_t pid_of(const char *text)
{
    char *end;
    errno = 0;
    long pid = strtol(text, &end, 10);
    if (errno || end == text || *end || pid <= 0 || pid > INT_MAX)
        fail_usage("this is no process id: ", text);
    return (pid_t)pid;
}

struct command {
    bool tree, backtrace, go_on;
};

static void parse_options(struct command *command, int argc, char **argv)
{
    static const struct option options[] = {{"backtrace", no_argument, NULL, 'b'}, {"short", no_argument, NULL, 's'},
                                            {"no-stop", no_argument, NULL, 'n'},   {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'v'},   {0}};
    for (int option; (option = getopt_long(argc, argv, "bsh", options, NULL)) >= 0;) {
        if (option == 'b' || option == 's') {
            command->backtrace = option == 'b';
        } else if (option == 'n') {
            command->go_on = true;
        } else if (option == 'h') {
            fputs(help, stdout);
            exit(0);
        } else if (option == 'v') {
            puts("juggle " JG_VERSION);
            exit(0);
        } else {
            exit(2); /* getopt_long has said why */
        }
    }
}

int main(int argc, char **argv)
{
    struct command command = {0};
    struct process process;
    struct snapshot snapshot;
    command.tree = argc > 1 && strcmp(argv[1], "pstree") == 0;
    command.backtrace = command.tree;
    parse_options(&command, argc, argv);
    if (optind == argc)
        fail_usage("say what to do: ps or pstree, and a process id", "");
    if (strcmp(argv[optind], "ps") != 0 && strcmp(argv[optind], "pstree") != 0)
        fail_usage("there is no such command: ", argv[optind]);
    if (argc - optind != 2)
        fail_usage("say which process, by its id", "");
    command.tree = strcmp(argv[optind], "pstree") == 0;
    process_open(&process, pid_of(argv[optind + 1]));
    snapshot_take(&snapshot, &process, (command.go_on ? GO_ON : 0) | (command.backtrace ? WITH_STACKS : 0));
    if (command.tree)
        print_tree(&snapshot, command.backtrace);
    else
        print_table(&snapshot, command.backtrace);
    return fflush(stdout) == 0 ? 0 : 1;
}
