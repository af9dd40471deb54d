"""A million sleeping tasks: memory and page tables for each, and the time to create them."""
from .bench import Failed

TASKS = 1000000
KIB_EACH = 6  # to be on the safe side


def _affordable():
    """As many tasks as the free memory allows, up to a million."""
    with open("/proc/meminfo", encoding="ascii") as lines:
        available = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    return min(TASKS, available * 8 // 10 // KIB_EACH)


def run(bench):
    tasks = _affordable()
    if tasks < TASKS:
        bench.say(f"only {tasks} tasks: there is no memory for more")
    results = {}
    for subject, command in (("juggle", bench.programs.own("million")), ("go", bench.programs.go("million"))):
        if not command:
            continue
        values = {}
        for _ in range(1 if bench.quick else 3):
            try:
                readings = bench.programs.readings(command, "--tasks", tasks)
            except RuntimeError as error:
                raise Failed(error) from error
            for metric, value in readings.items():
                values.setdefault(metric, []).extend(value)
        for metric, value in values.items():
            results[subject, metric] = bench.add(subject, metric, "KiB" if metric == "memory" else "ns", value)
    if ("juggle", "memory") not in results:
        raise Failed("million is not built")
    bench.target("a sleeping task: resident memory and page tables", results["juggle", "memory"], 4.7)
    bench.ratio(results["juggle", "create"], results.get(("go", "create")), "create ratio")
    bench.ratio(results["juggle", "memory"], results.get(("go", "memory")), "memory ratio")
