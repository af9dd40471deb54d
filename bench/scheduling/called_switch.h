/* The least that a switch between two stacks costs when it is a called function: six registers pushed and popped, and
 * an indirect jump. */
#ifndef BENCH_CALLED_SWITCH_H
#define BENCH_CALLED_SWITCH_H

/* Saves the stack pointer of the running flow in *from and continues the flow whose stack pointer is `to`. */
void called_switch(void **from, void *to);

/* How the words at the low end of a new stack have to stand for called_switch to enter `entry`. */
enum { CALLED_SWITCH_REGISTERS = 6 };

#endif
