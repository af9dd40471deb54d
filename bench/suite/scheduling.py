"""What tasks cost among themselves: yield, create, gather. Each program prints nanoseconds for one operation, run by
run. A run is short, so that few are disturbed."""
from .bench import Failed


def _readings(bench, command, runs, iterations):
    try:
        return bench.programs.readings(command, "--runs", runs, "--iterations", iterations)
    except RuntimeError as error:
        raise Failed(error) from error


def _measure(bench, name, metric, iterations, go_iterations):
    """Runs the program and Go's of the same name in turns; a result for each subject."""
    own = bench.programs.own(name)
    if not own:
        raise Failed(f"{name} is not built")
    go = bench.programs.go(name)
    rounds, runs = (3, 15) if bench.quick else (9, 25)
    values = {}
    for _ in range(rounds):
        for command, count in ((own, iterations), (go, go_iterations)):
            for subject, readings in (_readings(bench, command, runs, count) if command else {}).items():
                values.setdefault(subject, []).extend(readings)
    return {subject: bench.add(subject, metric, "ns", readings) for subject, readings in values.items()}


def yielding(bench):
    results = _measure(bench, "yield", "yield", 100000, 50000)
    juggle = results["juggle"]
    floor = bench.ratio(juggle, results.get("called-switch"))
    if floor is None:
        bench.programs.skip("called switch", "it is written for x86-64 only")
    bench.target("yield: juggle / called switch", floor, 2.0)
    bench.ratio(juggle, results.get("go"))


def create(bench):
    results = _measure(bench, "create", "create+await", 50000, 20000)
    bench.target("create and await an empty task", results["juggle"], 30.0)
    bench.ratio(results["juggle"], results.get("go-channel"))
    bench.ratio(results["juggle"], results.get("go-waitgroup"))


def gather(bench):
    results = _measure(bench, "gather", "per task", 20, 10)
    bench.ratio(results["juggle"], results.get("go"))
