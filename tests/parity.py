#!/usr/bin/env -S python3 -B
"""docs/asyncio-parity.md is true: each name of asyncio has its row, and each row that claims a counterpart names tests that
ran and whose object files refer to it. As a program, tests/parity.py BUILD fills in the tests of rows that name none."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs/asyncio-parity.md"
NAMES = ROOT / "tests/asyncio_names"
ROW = re.compile(r"^\| ([^|]+) \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$")
WITHOUT = ("policies", "child watchers", "inspects Python's coroutines")  # the only reasons for having no counterpart


def table():
    rows = [match.groups() for match in map(ROW.match, TABLE.read_text().splitlines()) if match]
    return [tuple(cell.strip() for cell in row) for row in rows if row[0] not in ("name", "---")]


@cache
def interface():
    """What each public name stands for: the functions that a use of it refers to, none for types and initialisers."""
    text = "".join(path.read_text() for path in sorted((ROOT / "include/juggle").glob("*.h")))
    text = text.replace("\\\n", " ")
    bare = re.sub(r"^#.*$", "", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL), flags=re.MULTILINE)
    names = {name: set() for name in re.findall(r"\b(?:jg|JG)_\w+\b", text)}
    exported = re.findall(r"JG_API\b[^;]*?\b(jg_\w+)\(", bare)
    names.update({name: {name} for name in exported})
    macros = dict(re.findall(r"^#define (\w+)\([^)]*\)(.*)$", text, re.MULTILINE))
    for _ in range(3):  # macros of macros
        for macro, body in macros.items():
            used = [names.get(word, set()) for word in re.findall(r"\b(?:jg|JG)_\w+\b", body)]
            names[macro] = names.get(macro, set()).union(*used)
    return names


@cache
def references(build, source):
    """The undefined symbols of a test's object file."""
    folder = source.split("/")[0]
    path = build / f"tests/CMakeFiles/test_{folder}.dir/{source}.o"
    if not path.exists():
        return None
    return {line.split()[-1] for line in subprocess.run(["nm", "-u", path], text=True, capture_output=True, check=True).stdout.splitlines()}


def claims(counterpart):
    """The functions that a row claims to have."""
    words = [word.split(".")[0] for word in re.findall(r"`(\w[\w.]*)", counterpart)]
    return words, {word: interface().get(word) for word in words}


def check_row(build, ran, name, counterpart, tests, note):
    if not counterpart:
        return None if any(reason in note for reason in WITHOUT) else f"{name}: no counterpart, and the reason is none of {WITHOUT}"
    words, functions = claims(counterpart)
    unknown = [word for word in words if functions[word] is None]
    if unknown or not words:
        return f"{name}: not in the headers: {', '.join(unknown) or counterpart}"
    named = [test.strip().strip("`").split(": ") for test in tests.split(", ") if test.strip()]
    if not named:
        return f"{name}: no test"
    found = set()
    for source, test in named:
        symbols = references(build, source)
        if symbols is None:
            return f"{name}: {source} was not compiled"
        if (source.split("/")[0], test) not in ran:
            return f"{name}: {source}: {test} did not run"
        found |= symbols
    wanted = [functions[word] for word in words if functions[word]]
    missing = [word for word in words if functions[word] and not functions[word] & found]
    if missing or not wanted:
        return f"{name}: {tests} refers to no {', '.join(missing) or 'function'}"
    return None


def check(build, ran):
    """(rows that are true, failures). `ran`: pairs of folder and test."""
    rows = table()
    names = [line for line in NAMES.read_text().splitlines() if line and not line.startswith("#")]
    have = [row[0].strip("`") for row in rows]
    failures = [f"no row: {name}" for name in names if name not in have]
    failures += [f"not a name of asyncio, or twice: {name}" for name in have if name not in names or have.count(name) > 1]
    found = [check_row(build, ran, row[0].strip("`"), *row[1:]) for row in rows]
    failures += [failure for failure in found if failure]
    return sum(failure is None for failure in found), failures


# ---- Filling in ----

@cache
def tests_of(source):
    """The tests of a file, each with its text and that of the coroutines before it."""
    text = (ROOT / "tests" / source).read_text()
    ends = list(re.finditer(r"^\w*TEST\w*\((\w+).*?\)\n\{\n.*?^\}", text, re.MULTILINE | re.DOTALL))
    starts = [0, *(match.end() for match in ends)]
    return [(match[1], text[start:match.end()]) for start, match in zip(starts, ends)]


@cache
def home(functions):
    """Where the functions are defined: pairs of floor and file."""
    pattern = re.compile(rf"^\w[\w *]*\b({'|'.join(functions)})\(", re.MULTILINE)
    return {(path.parent.name, path.stem) for path in (ROOT / "src").glob("*/*.c") if pattern.search(path.read_text())}


def test_of(build, word, functions):
    """The test that is most about it: says it, stands on the floor and in the file of its name, is not about bad days."""
    best = (0, None)
    homes = home(frozenset(functions))
    for path in sorted((ROOT / "tests").glob("*/*.c")):
        source = str(path.relative_to(ROOT / "tests"))
        if source.startswith(("programs/", "portable/")) or not (references(build, source) or set()) & functions:
            continue
        floor = path.parent.name in {folder for folder, _ in homes}
        topic = path.stem.rstrip("s") in word or path.stem in {stem for _, stem in homes}
        for test, text in tests_of(source):
            said = bool(re.search(rf"\b{word}\b", text))
            bad = bool(re.search("abort|memory|outside|allocation|nomem", test))
            rank = 1 + 4 * floor + 3 * said + 2 * topic - 2 * bad
            best = max(best, (rank, f"{source}: {test}"), key=lambda pair: pair[0])
    return best[1]


def filled(build, line):
    match = ROW.match(line)
    if not match or match[1] in ("name", "---") or not match[2].strip() or match[3].strip():
        return line
    words, functions = claims(match[2])
    tests = [test_of(build, word, functions[word]) for word in words if functions[word]]
    return f"| {match[1]} | {match[2]} | {', '.join(f'`{test}`' for test in dict.fromkeys(filter(None, tests)))} | {match[4]} |"


if __name__ == "__main__":
    lines = TABLE.read_text().splitlines()
    TABLE.write_text("\n".join(filled(Path(sys.argv[1]).resolve(), line) for line in lines) + "\n")
