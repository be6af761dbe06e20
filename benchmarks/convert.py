"""What conversion makes of a folder of scripts: python -m benchmarks.convert FOLDER [--without NAME]... [--lint].

Each directory right below the folder is a set of scripts, and each file right in it is one of its own. Counted is every
command that changes a machine's state, once for each place in a script: where a function runs several times, its worst
outcome. Scripts are read, never run.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from goldsmith.assist.conversion import Conversion, Line
from goldsmith.assist.convert import Options, convert
from goldsmith.assist.shell import Script
from goldsmith.hcl import UserError

LINT = Path(__file__).parents[1] / ".tools" / "ansible" / "bin" / "ansible-lint"
FATES = ("module", "silent", "dropped", "handler", "guard", "pipeline", "shell")
"""From the best to the worst."""
_KEPT = 45


@dataclass(frozen=True, slots=True)
class Measured:
    """What became of one set."""

    name: str
    commands: tuple[Line, ...] = ()
    """One for each place, its worst."""
    scripts: int = 0
    refused: tuple[str, ...] = ()
    crashed: tuple[str, ...] = ()
    seconds: float = 0.0
    lint: Mapping[str, int] = field(default_factory=dict)


def sets_of(folder: Path, without: Sequence[str]) -> Iterator[tuple[str, list[Script]]]:
    """The sets of a folder; a file that is no text, or has no shell's first line and no suffix of one, is not a script."""
    for path in sorted(folder.iterdir()):
        if any(name in path.name for name in without):
            continue
        files = sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]
        base = path if path.is_dir() else folder
        scripts = [Script(str(file.relative_to(base)), file.read_bytes()) for file in files]
        yield path.name, [script for script in scripts if b"\0" not in script.text]


def measure(name: str, scripts: Sequence[Script], lint: bool) -> Measured:
    """Convert a set; where that fails, each of its scripts by itself, so that the one is named that makes it fail."""
    start = time.perf_counter()
    crashed: list[str] = []
    try:
        made = [convert(scripts, Options(name="measured"))]
    except Exception:
        made = list(_each(scripts, crashed))
    seconds = time.perf_counter() - start
    return Measured(
        name=name,
        commands=tuple(_worst(line for conversion in made for line in conversion.lines if line.counts)),
        scripts=len(scripts),
        refused=tuple(str(fault.where) for conversion in made for fault in conversion.faults if fault.code == "script.syntax"),
        crashed=tuple(crashed),
        seconds=seconds,
        lint=_linted(made) if lint else {},
    )


def _each(scripts: Sequence[Script], crashed: list[str]) -> Iterator[Conversion]:
    for script in scripts:
        try:
            yield convert([script], Options(name="measured"))
        except UserError:
            continue
        except Exception as error:  # a crash is what is looked for
            crashed.append(f"{script.path}: {type(error).__name__}: {error}")


def _worst(lines: Iterable[Line]) -> Iterator[Line]:
    found: dict[tuple[str, int, int], Line] = {}
    for line in lines:
        place = (line.place.file, line.place.start, line.place.end)
        known = found.get(place)
        if known is None or FATES.index(line.fate) > FATES.index(known.fate):
            found[place] = line
    yield from found.values()


def _linted(made: Sequence[Conversion]) -> Counter[str]:
    found: Counter[str] = Counter()
    for conversion in made:
        with tempfile.TemporaryDirectory() as place:
            for path, text in conversion.files.items():
                target = Path(place) / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(text)
            words = [str(LINT), "--offline", "--profile", "production", "-q", "-f", "json", "--nocolor", place]
            done = subprocess.run(words, cwd=place, capture_output=True, check=False)
            matches = json.loads(done.stdout or "[]")
            found += Counter(f"{match['check_name']}: {match['description'][:90]}" for match in matches)
    return found


def report(measured: Sequence[Measured]) -> None:
    """The measure, with what would win most next."""
    lines = [line for item in measured for line in item.commands]
    fates: Counter[str] = Counter(line.fate for line in lines)
    total = len(lines) or 1
    left = {(item.name, line.place.file) for item in measured for line in item.commands if line.fate == "shell"}
    count = sum(item.scripts for item in measured)
    modules = fates["module"]
    print(f"{count} scripts, {len(lines)} state-changing commands, {sum(item.seconds for item in measured):.1f} s")
    for fate in FATES:
        print(f"  {fate:<9} {fates[fate]:>6}  {100 * fates[fate] / total:5.1f} %")
    print(f"modules                     {100 * modules / total:5.1f} %   (82 %)")
    print(f"with guards, handlers, drops {100 * (total - fates['shell']) / total:4.1f} %   (90 %)")
    print(f"scripts without a left-over {100 * (count - len(left)) / (count or 1):5.1f} %   (80 %)")
    print(f"refused {sum(len(item.refused) for item in measured)}, crashed {sum(len(item.crashed) for item in measured)}")
    for item in measured:
        for crash in item.crashed:
            print(f"  crash in {item.name}: {crash}")
    _table("by set: left over", _by_set(measured))
    _table("left over, by reason", Counter(_reason(line) for line in lines if line.fate == "shell"))
    _table("guards, by rule", Counter(line.rule for line in lines if line.fate == "guard"))
    _table("left over, by name", Counter(line.name or "(no name)" for line in lines if line.fate == "shell"))
    if any(item.lint for item in measured):
        _table("ansible-lint", sum((Counter(item.lint) for item in measured), Counter()))


def _by_set(measured: Sequence[Measured]) -> Counter[str]:
    names = {item.name: f"{item.name}, of {len(item.commands)}, in {item.seconds:.1f} s" for item in measured}
    return Counter({names[item.name]: sum(line.fate == "shell" for line in item.commands) for item in measured})


def _reason(line: Line) -> str:
    return line.reason.replace(line.name, "NAME") if line.name and "no rule knows" in line.reason else line.reason[:110]


def _table(title: str, counts: Counter[str]) -> None:
    print(f"\n{title}")
    for text, count in counts.most_common(_KEPT):
        print(f"  {count:>5}  {text}")


def _job(given: tuple[str, list[Script], bool]) -> Measured:
    return measure(*given)


def main(arguments: Sequence[str]) -> int:
    """Measure a folder; exit code 1 where a script made conversion fail."""
    parser = argparse.ArgumentParser(prog="benchmarks.convert", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--without", action="append", default=[], metavar="NAME", help="leave out sets of such a name")
    parser.add_argument("--lint", action="store_true", help="ask ansible-lint about the roles")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--left", metavar="FILE", help="write what is left over, one JSON object a line")
    given = parser.parse_args(arguments)
    jobs = [(name, scripts, given.lint) for name, scripts in sets_of(given.folder, given.without)]
    with multiprocessing.Pool(given.workers) as pool:
        measured = pool.map(_job, jobs, chunksize=1)
    report(measured)
    if given.left:
        Path(given.left).write_text("".join(_left(measured)), encoding="utf-8", errors="replace")
    return 1 if any(item.crashed for item in measured) else 0


def _left(measured: Sequence[Measured]) -> Iterator[str]:
    for item in measured:
        for line in item.commands:
            if line.fate == "shell":
                where = f"{item.name}/{line.place.file}:{line.place.line}"
                yield json.dumps({"where": where, "name": line.name, "reason": line.reason, "source": line.source}) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
