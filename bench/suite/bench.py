"""What every benchmark works with: readings, targets, the table and the results file."""
import json
import statistics
from dataclasses import dataclass

from .programs import Programs


class Failed(Exception):
    """A benchmark could not be run."""


@dataclass
class Result:
    """The readings of one metric of one subject."""
    bench: str
    subject: str
    metric: str
    unit: str
    values: list
    shown: bool = True  # in the table; the file has all

    @property
    def median(self):
        return statistics.median(self.values)

    def record(self):
        return {
            "bench": self.bench, "subject": self.subject, "metric": self.metric, "unit": self.unit,
            "median": round(self.median, 4), "min": round(min(self.values), 4), "max": round(max(self.values), 4),
            "runs": len(self.values),
        }


@dataclass
class Target:
    """What was promised, and the result that keeps it or doesn't. Smaller is better."""
    what: str
    result: Result
    limit: float

    @property
    def met(self):
        return self.result.median <= self.limit


class Bench:
    """Collects the results of a whole run."""

    def __init__(self, build, output, quick):
        self.programs = Programs(build, output, self.say)
        self.quick = quick
        self.results = []
        self.targets = []
        self.name = None

    def begin(self, name):
        self.name = name
        print(f"\n== {name} ==", flush=True)

    @staticmethod
    def say(sentence):
        print("  " + sentence, flush=True)

    def add(self, subject, metric, unit, values, shown=True):
        """Records readings and returns the result."""
        result = Result(self.name, subject, metric, unit, list(values), shown)
        self.results.append(result)
        return result

    def ratio(self, subject, other, metric="ratio"):
        """The ratio of two results, reading by reading where they were taken in pairs, of their medians where not."""
        if subject is None or other is None:
            return None
        if len(subject.values) == len(other.values):
            values = [mine / theirs for mine, theirs in zip(subject.values, other.values)]
        else:
            values = [subject.median / other.median]
        return self.add(f"{subject.subject} / {other.subject}", metric, "x", values)

    def target(self, what, result, limit):
        """A promise about a result; None: it could not be measured."""
        if result is not None:
            self.targets.append(Target(what, result, limit))

    def print_table(self):
        rows = [result for result in self.results if result.bench == self.name and result.shown]
        if not rows:
            return
        width = max(len(row.subject) for row in rows) + 2
        print(f"  {'':{width}}{'':14}{'median':>12}{'min':>12}{'max':>12}  runs")
        for row in rows:
            figures = "".join(f"{_figure(value):>12}" for value in (row.median, min(row.values), max(row.values)))
            print(f"  {row.subject:{width}}{row.metric:14}{figures}  {len(row.values):4} {row.unit}")

    def print_targets(self, path):
        if self.targets:
            print("\n== targets ==")
            width = max(len(target.what) for target in self.targets) + 2
            print(f"  {'':{width}}{'measured':>12}{'target':>12}  met")
            for target in self.targets:
                unit = target.result.unit
                measured, limit = f"{target.result.median:.2f} {unit}", f"{target.limit:.2f} {unit}"
                print(f"  {target.what:{width}}{measured:>12}{limit:>12}  {'yes' if target.met else 'NO'}")
        print(f"\nresults: {path}")

    def write(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([result.record() for result in self.results], indent=1) + "\n")


def _figure(value):
    return f"{value:.3f}" if value < 10 else f"{value:.1f}" if value < 1000 else f"{value:.0f}"
