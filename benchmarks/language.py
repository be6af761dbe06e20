"""CPU seconds that loading and formatting a template takes as it grows: python -m benchmarks.language."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from goldsmith.hcl import UserError, format_source
from goldsmith.template import load, load_options

_PART = """\
variable "v%(n)d" {
  type        = string
  default     = "value %(n)d"
  description = "What it is for."
}

locals {
  l%(n)d = "${var.v%(n)d}-${upper("x")}"
  m%(n)d = {
    a = [for x in [1, 2, 3] : "${x}-${local.l%(n)d}"]
    b = 1 # a comment
  }
}

source "null" "s%(n)d" {
  communicator = "none"
}

build {
  sources = ["source.null.s%(n)d"]

  provisioner "shell-local" {
    inline = ["echo ${local.l%(n)d}", "echo ${join(",", local.m%(n)d.a)}"]
  }

  post-processor "manifest" {
    output = "m%(n)d.json"
  }
}

"""
SIZES = (1_000, 5_000, 20_000)


def template(lines: int) -> str:
    """A template of about so many lines, in which everything occurs again and again."""
    return "".join(_PART % {"n": number} for number in range(lines // _PART.count("\n")))


def validating(text: str) -> float:
    """CPU seconds of what `validate` does."""
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "a.pkr.hcl").write_text(text, encoding="utf-8")
        start = time.process_time()
        plan = load(Path(place), load_options()).plan()
        assert plan.builds and not plan.failed
        return time.process_time() - start


def formatting(text: str) -> float:
    """CPU seconds of what `fmt` does."""
    start = time.process_time()
    format_source(text)
    return time.process_time() - start


def refusing(text: str) -> float:
    """CPU seconds of what `validate` does when every local is misspelled where it is used."""
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "a.pkr.hcl").write_text(text.replace("local.l", "local.ll"), encoding="utf-8")
        start = time.process_time()
        try:
            load(Path(place), load_options())
        except UserError as error:
            assert "Did you mean" in error.diagnostics[0].next
        return time.process_time() - start


MEASURED = {"validate": validating, "fmt": formatting, "misspelled": refusing}


def main() -> None:
    """Print seconds for each size, and how they grow for each line in comparison with the smallest size."""
    validating(template(100))  # imports what is imported once
    print("lines " + "".join(f"{name:>12} s  per line" for name in MEASURED))
    first: dict[str, float] = {}
    limit_met = True
    for lines in SIZES:
        print(f"{lines:5} ", end="")
        for name, measure in MEASURED.items():
            seconds = measure(template(lines))
            growth = seconds / lines / first.setdefault(name, seconds / lines)
            print(f"{seconds:14.2f} {growth:9.2f}", end="")
            limit_met = limit_met and (name != "validate" or lines != 5_000 or seconds < 1)
        print()
    sys.exit(0 if limit_met else 1)


if __name__ == "__main__":
    main()
