#ifndef JUGGLE_TOOL_PRINT_H
#define JUGGLE_TOOL_PRINT_H

#include "tasks.h"

void print_tree(const struct snapshot *snapshot, bool backtrace);
void print_table(const struct snapshot *snapshot, bool backtrace);

#endif
