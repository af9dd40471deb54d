"""What the tests of whole programs share: start a program and see its output, wait for it, never leave one behind."""

import contextlib
import ctypes
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SKIPPED = 77
C_LIBRARY = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


class Failure(Exception):
    """A program did something else than it should."""


class Skip(Exception):
    """What a check needs is not here."""


class Program:
    """A running program whose output goes to files; it is killed when its block or this process ends."""

    def __init__(self, arguments, poller=None, directory=None, descriptors=None, **options):
        self.arguments = [str(argument) for argument in arguments]
        self.output_file = tempfile.TemporaryFile()
        self.error_file = tempfile.TemporaryFile()
        environment = dict(os.environ, **options.pop("environment", {}))
        environment.pop("JUGGLE_POLLER", None)
        if poller:
            environment["JUGGLE_POLLER"] = poller

        def prepare():
            C_LIBRARY.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # no leftovers, whatever happens to this process
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background job has it ignored
            if descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        options.setdefault("stdout", self.output_file)
        options.setdefault("stderr", self.error_file)
        options.setdefault("stdin", subprocess.DEVNULL)
        try:
            self.process = subprocess.Popen(self.arguments, cwd=directory, env=environment, preexec_fn=prepare,
                                            **options)
        except FileNotFoundError as error:
            raise Failure(f"not there: {error.filename}") from None

    @property
    def pid(self):
        return self.process.pid

    @staticmethod
    def _text(file):
        return os.pread(file.fileno(), 1 << 24, 0).decode(errors="replace")

    @property
    def output(self):
        return self._text(self.output_file)

    @property
    def errors(self):
        return self._text(self.error_file)

    def describe(self):
        return f"{' '.join(self.arguments)}\n--- output:\n{self.output[-2000:]}--- errors:\n{self.errors[-2000:]}"

    def expect(self, pattern, seconds=20):
        """Waits until the output contains the pattern, and returns the match."""
        deadline = time.monotonic() + seconds
        while True:
            ended = self.process.poll() is not None
            match = re.search(pattern, self.output, re.MULTILINE)
            if match:
                return match
            if ended or time.monotonic() > deadline:
                raise Failure(f"{'ended' if ended else 'waited'} without {pattern!r}: {self.describe()}")
            time.sleep(0.01)

    def wait(self, seconds=60, code=0):
        """Waits for the end, compares the exit code (None: any), and returns the output."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"still running after {seconds} s: {self.describe()}") from None
        if code is not None and self.process.returncode != code:
            raise Failure(f"ended with {self.process.returncode} instead of {code}: {self.describe()}")
        return self.output

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_bytes(self, field):
        """VmRSS: resident now; VmHWM: at most so far."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return 1024 * int(re.search(rf"{field}:\s+(\d+)", status)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.output_file.close()
        self.error_file.close()


def check(condition, complaint):
    if not condition:
        raise Failure(complaint)


def run(arguments, poller=None, code=0, seconds=60, **options):
    """Runs a program to its end and returns what it wrote to stdout."""
    with Program(arguments, poller, **options) as program:
        return program.wait(seconds, code)


def listening_port(program):
    return int(program.expect(r"^Listening on \S+:(\d+)\b")[1])


def connect(port, **options):
    return socket.create_connection(("127.0.0.1", port), timeout=20, **options)


def connect_when_open(server, port):
    """For servers that don't say when they listen."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        check(server.process.poll() is None, f"ended: {server.describe()}")
        with contextlib.suppress(ConnectionRefusedError):
            return connect(port)
        time.sleep(0.02)
    raise Failure(f"port {port} does not open: {server.describe()}")


def receive(connection, size):
    """Exactly so many bytes, or those that came before the end."""
    data = bytearray()
    while len(data) < size:
        piece = connection.recv(min(size - len(data), 1 << 20))
        if not piece:
            break
        data += piece
    return bytes(data)


def echo(connection, message):
    connection.sendall(message)
    check(receive(connection, len(message)) == message, f"a message of {len(message)} bytes came back changed or cut")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def python_http_server(directory):
    """A server that is not ours; as a context. The port follows from http_server_port."""
    return Program([sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "0"], directory=directory)


def http_server_port(server):
    return int(server.expect(r"port (\d+)")[1])


@contextlib.contextmanager
def temporary_directory():
    path = Path(tempfile.mkdtemp(prefix="juggle-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def poller_allowed(build, poller):
    """Whether the kernel lets us have this poller: the library says so, by ENOTSUP."""
    with Program([build / "examples/callbacks_echo", "0"], poller) as program:
        while program.process.poll() is None and "Listening" not in program.output:
            time.sleep(0.01)
        return "Operation not supported" not in program.errors


def has_sanitizer(program):
    return b"__asan_init" in program.read_bytes() or b"__tsan_init" in program.read_bytes()


def need(*commands):
    missing = [command for command in commands if not shutil.which(command)]
    if missing:
        raise Skip(f"not installed: {', '.join(missing)}")


def main(*checks):
    """Runs checks(build, poller) as the test runner starts them: NAME BUILD_DIR POLLER. One that is skipped does not
    keep the others from running."""
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} BUILD_DIR POLLER")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    build, poller = Path(sys.argv[1]).resolve(), sys.argv[2]
    skipped = None if poller_allowed(build, poller) else f"{poller} is not allowed here"
    for one in checks if not skipped else ():
        try:
            one(build, poller)
            print(f"{one.__name__}: ok", flush=True)
        except Skip as reason:
            skipped = f"{one.__name__}: {reason}"
        except Failure as failure:
            sys.exit(f"{one.__name__}: {failure}")
    if skipped:
        print(skipped)
        sys.exit(SKIPPED)
