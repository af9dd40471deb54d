"""CPU time of an echo server for each message, beside hand-written loops on the same pollers and beside peers.

All servers run at once, on the first core; the load runs on the second and exchanges messages with one after the other,
in slices of some 60 ms, forwards and backwards: the speed of a machine changes from second to second, so figures are
compared within a slice's pair. One pair of processes gives one reading, the median over its slices; the processes are
started anew for each, since their layout in memory matters too."""
import statistics
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass, field

from .bench import Failed

CONNECTIONS, BYTES = 50, 1024
TARGET = 1.10
BUSY = 90  # percent: then the server is what is short, not the load
SLOW_LOAD = 2000  # nanoseconds that the load wastes on each message in the check of its influence


@dataclass
class Server:
    name: str
    command: list
    environment: dict = field(default_factory=dict)


def _servers(bench):
    programs = bench.programs
    candidates = [
        Server("epoll", programs.own("echo_epoll")),
        Server("juggle-epoll", programs.own("echo_juggle"), {"JUGGLE_POLLER": "epoll"}),
        Server("juggle-io_uring", programs.own("echo_juggle"), {"JUGGLE_POLLER": "io_uring"}),
        Server("io_uring", programs.own("echo_io_uring")),
        Server("libuv", programs.own("echo_libuv")),
        Server("go", programs.go("echo")),
        Server("asyncio", programs.python("echo.py")),
        Server("uvloop", programs.python("echo.py", "uvloop")),
    ]
    return [server for server in candidates if _answers(bench, server)]


def _answers(bench, server):
    """Is it there, and does it start on this machine?"""
    if not server.command:
        bench.programs.skip(server.name, "its program is not built")
        return False
    with ExitStack() as stack:
        process, port = _start(bench, server, stack)
        if port is None:
            process.wait()
            reason = process.stderr.read().strip().splitlines()
            bench.programs.skip(server.name, reason[-1] if reason else f"it ended with {process.returncode}")
    return port is not None


def _start(bench, server, stack):
    environment = {**bench.programs.environment, **server.environment}
    process = subprocess.Popen(server.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=environment, preexec_fn=bench.programs.pin(0))
    stack.callback(_end, process)
    first = process.stdout.readline().split()
    return process, first[1] if first[:1] == ["port"] else None


def _end(process):
    process.kill()
    process.wait()
    process.stdout.close()
    process.stderr.close()


def _exchange(bench, servers, slices, messages, think=0):
    """One reading of each server: {server name: {metric: [a value for each slice]}}."""
    with ExitStack() as stack:
        arguments = []
        for server in servers:
            process, port = _start(bench, server, stack)
            arguments += ["--server", f"{server.name}:{port}:{process.pid}"]
        load = bench.programs.own("echo_load")
        try:
            readings = bench.programs.readings(
                load, *arguments, "--connections", CONNECTIONS, "--bytes", BYTES, "--messages", messages,
                "--slices", slices, "--think", think, core=1)
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            raise Failed(error) from error
    values = {}
    for name, reading in readings.items():
        server, metric = name.split(".")
        values.setdefault(server, {})[metric] = reading
    return values


class _Pairs:
    """The readings of each server, and the ratios of pairs of servers, slice by slice."""

    def __init__(self):
        self.medians, self.ratios = {}, {}

    def take(self, values, pairs):
        for server, metrics in values.items():
            for metric, slices in metrics.items():
                self.medians.setdefault((server, metric), []).append(statistics.median(slices))
        for mine, theirs in pairs:
            if mine in values and theirs in values:
                slices = [a / b for a, b in zip(values[mine]["cpu"], values[theirs]["cpu"])]
                self.ratios.setdefault((mine, theirs), []).append(statistics.median(slices))


PAIRS = [("juggle-epoll", "epoll"), ("juggle-io_uring", "io_uring")] + [
    (f"juggle-{poller}", peer) for peer in ("libuv", "go", "asyncio", "uvloop") for poller in ("epoll", "io_uring")]


def run(bench):
    if not bench.programs.own("echo_load"):
        raise Failed("echo_load is not built")
    if len(bench.programs.cores) < 2:
        bench.say("one core only: the servers and the load share it, so the figures mean little")
    servers = _servers(bench)
    runs, slices, messages = (5, 8, 10000) if bench.quick else (11, 24, 10000)
    pairs = _Pairs()
    for _ in range(runs):
        pairs.take(_exchange(bench, servers, slices, messages), PAIRS)
    for (server, metric), values in pairs.medians.items():
        unit = {"cpu": "ns/message", "throughput": "messages/s"}.get(metric, "%")
        bench.add(server, metric, unit, values, shown=metric in ("cpu", "server-busy"))
    idle = [server for (server, metric), values in pairs.medians.items()
            if metric == "server-busy" and statistics.median(values) < BUSY]
    if idle:
        bench.say(f"busy for less than {BUSY} %: {', '.join(idle)}; the load or other programs held them up")
    for (mine, theirs), values in pairs.ratios.items():
        result = bench.add(f"{mine} / {theirs}", "ratio", "x", values)
        if theirs in ("epoll", "io_uring"):
            bench.target(f"echo: CPU a message, {mine} / floor", result, TARGET)
    _slow_load(bench, servers, runs, slices, messages)


def _slow_load(bench, servers, runs, slices, messages):
    """When the load is slower on purpose, a message costs more CPU, since fewer come in a turn; the ratios stay."""
    floors = [server for server in servers if server.name.removeprefix("juggle-") in ("epoll", "io_uring")]
    slow = _Pairs()
    for _ in range(max(2, runs // 2)):
        slow.take(_exchange(bench, floors, slices, messages, SLOW_LOAD), PAIRS[:2])
    for (mine, theirs), values in slow.ratios.items():
        bench.add(f"{mine} / {theirs}", "slow load", "x", values)
