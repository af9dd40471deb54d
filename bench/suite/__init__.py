"""The benchmarks, in the order in which they run."""
from . import echo, million, scheduling

BENCHMARKS = {
    "yield": scheduling.yielding,
    "create": scheduling.create,
    "gather": scheduling.gather,
    "million": million.run,
    "echo": echo.run,
}
