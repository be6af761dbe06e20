"""Fuzzes one part of the language, guided by coverage: python -m tests.fuzz TARGET [SECONDS].

What crashes, or takes longer than 30 seconds, is written to the directory of findings, whose name is printed.
Needs the dependency group "fuzz".
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["goldsmith.hcl", "goldsmith.packer_templates"]):
    from tests.fuzz.material import seeds, words
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Run libFuzzer, which ends the process, on the target that the command line names."""
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: python -m tests.fuzz {'|'.join(TARGETS)} [SECONDS]")
    target = sys.argv[1]
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    place = Path(tempfile.mkdtemp(prefix=f"goldsmith-fuzz-{target}-"))
    corpus, findings, dictionary = place / "corpus", place / "findings", place / "words"
    corpus.mkdir()
    findings.mkdir()
    for number, seed in enumerate(seeds(target)):
        (corpus / f"seed-{number}").write_bytes(seed)
    dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in words(target)))
    sys.stdout.write(f"Findings: {findings}\n")
    options = [
        *(f"-max_total_time={seconds}", f"-artifact_prefix={findings}/", f"-dict={dictionary}", "-timeout=30"),
        *("-rss_limit_mb=4096", "-max_len=4096", "-print_final_stats=1", str(corpus)),
    ]
    atheris.Setup([sys.argv[0], *options], TARGETS[target])
    atheris.Fuzz()


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


if __name__ == "__main__":
    main()
