"""Finds, builds and runs the benchmark programs and those of the peers."""
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
LIMIT = 300  # seconds that one program may run


class Programs:
    """The programs that CMake built, and the peers that this machine has."""

    def __init__(self, build, output, say):
        self.built = build / "bench"
        self.output = output
        self.say = say
        self.cores = sorted(os.sched_getaffinity(0))
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("JUGGLE_")}
        self.told = set()
        self._go = None

    def skip(self, what, reason):
        """A peer that is missing is skipped, aloud, once."""
        if what not in self.told:
            self.told.add(what)
            self.say(f"SKIPPED {what}: {reason}")

    def own(self, name):
        """The command of a program that CMake built, or None."""
        path = self.built / name
        return [str(path)] if path.exists() else None

    def python(self, script, *arguments):
        return [sys.executable, str(BENCH / "peers" / "python" / script), *arguments]

    def go(self, name):
        """The command of a Go program, or None where there is no Go."""
        if self._go is None:
            self._go = self._build_go()
        path = self.output / "go" / name
        return [str(path)] if self._go and path.exists() else None

    def _build_go(self):
        places = [os.environ.get("PATH", ""), "/usr/local/bin", "/usr/local/go/bin"]
        tool = shutil.which("go", path=os.pathsep.join(places))
        if not tool:
            self.skip("Go", "there is no go on the PATH")
            return False
        target = self.output / "go"
        target.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local"}
        environment.setdefault("GOCACHE", str(self.output / "go-cache"))
        built = subprocess.run([tool, "build", "-o", str(target) + "/", "./..."], cwd=BENCH / "peers" / "go",
                               env=environment, stderr=subprocess.PIPE, text=True, check=False)
        if built.returncode:
            self.skip("Go", "its programs could not be built: " + " ".join(built.stderr.split()))
        return built.returncode == 0

    def readings(self, command, *arguments, core=0):
        """Runs a program on one core; the readings that it prints, as {metric: [values]}."""
        finished = subprocess.run([*command, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True, check=False, timeout=LIMIT, preexec_fn=self.pin(core),
                                  env=self.environment)
        if finished.returncode:
            raise RuntimeError(f"{Path(command[0]).name} ended with {finished.returncode}: {finished.stderr.strip()}")
        values = defaultdict(list)
        for line in finished.stdout.splitlines():
            metric, _, value = line.split()
            values[metric].append(float(value))
        return values

    def pin(self, core):
        """What a child does before it becomes a program: it moves to the first or the second core."""
        chosen = {self.cores[core % len(self.cores)]}
        return lambda: os.sched_setaffinity(0, chosen)
