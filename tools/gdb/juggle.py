"""Commands of gdb for the tasks of a program that uses Juggle, alive or as a core file:

    (gdb) source juggle.py
    (gdb) juggle tasks              every task with its state and what it waits for
    (gdb) juggle bt NAME            the frames of the tasks of that name (or of the task at that address)

Needs the debug information of libjuggle."""

import re

import gdb
import gdb.unwinder

# What jg__context_switch leaves at context.stack_pointer: (register, offset), and the size of it all.
SAVED = {
    "i386:x86-64": (("r15", 0), ("r14", 8), ("r13", 16), ("r12", 24), ("rbx", 32), ("rbp", 40), ("rip", 48)),
    "aarch64": tuple((f"x{19 + i}", 64 + 8 * i) for i in range(12)) + (("pc", 152),),
}
FRAME_SIZE = {"i386:x86-64": 56, "aarch64": 160}


def evaluate(expression):
    try:
        return gdb.parse_and_eval(expression)
    except gdb.error as error:
        raise gdb.GdbError(f"juggle: {error} (is this a program with Juggle, with debug information?)")


def container_of(node, type_name, member):
    task_type = gdb.lookup_type(type_name)
    offset = next(field.bitpos // 8 for field in task_type.fields() if field.name == member)
    return (node.cast(gdb.lookup_type("char").pointer()) - offset).cast(task_type.pointer()).dereference()


def entries(head, type_name, member):
    """The structs on a circular list that are linked by this member."""
    node = head["next"]
    while node and node != head.address:
        yield container_of(node, type_name, member)
        node = node["next"]


def with_children(head):
    """By hand, since a chain of awaits may be deeper than Python recurses."""
    levels = [entries(head, "struct jg__task", "siblings")]
    while levels:
        task = next(levels[-1], None)
        if task is None:
            levels.pop()
            continue
        yield task
        levels.append(entries(task["children"], "struct jg__task", "siblings"))


def all_tasks():
    for scheduler in entries(evaluate("jg__schedulers"), "struct jg__scheduler", "node"):
        yield from with_children(scheduler["roots"])


def name_of(task):
    return task["name"].string(errors="replace")  # it may be cut in the middle of a character


def names_of(tasks):
    return {int(task.address): name_of(task) for task in tasks}


def running_tasks():
    """{address of a task that runs: thread}"""
    running = {}
    selected = gdb.selected_thread()
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        try:
            running[int(gdb.parse_and_eval("jg__here.task"))] = thread
        except gdb.error:
            pass  # a thread that has no thread-local storage of the library's
    if selected:
        selected.switch()
    running.pop(0, None)
    return running


def describe(waited_for, names):
    """The name of the task that is waited for, or the address, with its symbol if it has one."""
    return names.get(int(waited_for)) or str(waited_for)


def state_of(task, running, names):
    if task["ended"]:
        return "ended"
    if int(task.address) in running:
        return f"runs in thread {running[int(task.address)].num}"
    wait = task["wait"]
    if not wait or not wait["task"]:
        return "ready"
    waited_for = f" for {describe(wait['object'], names)}" if wait["object"] else ""
    return f"waits in {wait['call'].string()}{waited_for}"


class ContextUnwinder(gdb.unwinder.Unwinder):
    """While it has a task, the frame before the innermost one is that in which the task was left."""

    def __init__(self):
        super().__init__("juggle-context")
        self.stack_pointer = None
        self.enabled = False

    def __call__(self, pending_frame):
        if self.stack_pointer is None:
            return None
        saved_at, self.stack_pointer = self.stack_pointer, None  # for one frame only: the others are ordinary
        architecture = pending_frame.architecture().name()
        program_counter = "rip" if architecture == "i386:x86-64" else "pc"
        stack_register = "rsp" if architecture == "i386:x86-64" else "sp"
        here = pending_frame.read_register(program_counter)
        stack_type = pending_frame.read_register(stack_register).type
        info = pending_frame.create_unwind_info(FrameId(gdb.Value(saved_at).cast(stack_type), here))
        for name, offset in SAVED[architecture]:
            word = gdb.Value(saved_at + offset).cast(gdb.lookup_type("unsigned long").pointer()).dereference()
            info.add_saved_register(name, word.cast(pending_frame.read_register(name).type))
        info.add_saved_register(stack_register, gdb.Value(saved_at + FRAME_SIZE[architecture]).cast(stack_type))
        return info

    def backtrace(self, task):
        """The text of `backtrace` for a task that does not run."""
        gdb.newest_frame().select()
        architecture = gdb.newest_frame().architecture().name()
        if architecture not in SAVED:
            raise gdb.GdbError(f"juggle: contexts of {architecture} are not known here")
        self.stack_pointer, self.enabled = int(task["context"]["stack_pointer"]), True
        gdb.invalidate_cached_frames()
        try:
            text = gdb.execute("backtrace", to_string=True)
        finally:
            self.stack_pointer, self.enabled = None, False
            gdb.invalidate_cached_frames()
        task_frames = text[text.find("\n#1 ") + 1:]
        return re.sub(r"^#(\d+) {1,2}", lambda match: f"#{int(match[1]) - 1:<3}", task_frames, flags=re.MULTILINE)


class FrameId:
    def __init__(self, stack_pointer, program_counter):
        self.sp, self.pc = stack_pointer, program_counter


class Juggle(gdb.Command):
    """What Juggle's tasks are doing: juggle tasks, juggle bt NAME."""

    def __init__(self):
        super().__init__("juggle", gdb.COMMAND_STACK, prefix=True)


class Tasks(gdb.Command):
    """Lists every task with its name, its state and what it waits for."""

    def __init__(self):
        super().__init__("juggle tasks", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        running, tasks = running_tasks(), list(all_tasks())
        names = names_of(tasks)
        for task in tasks:
            cancelled = ", cancelled" if task["cancelled"] else ""
            entry = str(task["fn"]).partition("<")[2].rstrip(">") or str(task["fn"])
            print(f"{int(task.address):#x}  {name_of(task):<31}  {entry}  {state_of(task, running, names)}{cancelled}")
        print(f"{len(tasks)} task{'' if len(tasks) == 1 else 's'}")


class Backtrace(gdb.Command):
    """Shows the frames of a task, from where it waits to the function that it was created with: juggle bt NAME."""

    def __init__(self, unwinder):
        super().__init__("juggle bt", gdb.COMMAND_STACK)
        self.unwinder = unwinder

    def invoke(self, argument, from_tty):
        wanted = argument.strip().strip('"')
        if not wanted:
            raise gdb.GdbError("juggle bt: say which task, by its name or its address")
        running = running_tasks()
        tasks = list(all_tasks())
        names = names_of(tasks)
        found = [task for task in tasks if wanted in (name_of(task), f"{int(task.address):#x}")]
        if not found:
            raise gdb.GdbError(f"juggle bt: no task is called {wanted}")
        for task in found:
            print(f"{name_of(task)} ({int(task.address):#x}) {state_of(task, running, names)}")
            self.show(task, running)

    def show(self, task, running):
        if task["ended"]:
            return
        thread = running.get(int(task.address))
        if thread:
            thread.switch()
            print(gdb.execute("backtrace", to_string=True), end="")
        else:
            print(self.unwinder.backtrace(task), end="")


def register():
    unwinder = ContextUnwinder()
    gdb.unwinder.register_unwinder(None, unwinder, replace=True)
    Juggle()
    Tasks()
    Backtrace(unwinder)


register()
