"""CPU seconds that loading and formatting a template takes as it grows: python -m benchmarks.language."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from goldsmith.hcl import format_source
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


def measured(text: str) -> tuple[float, float]:
    """CPU seconds of what `validate` does, and of what `fmt` does."""
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "a.pkr.hcl").write_text(text, encoding="utf-8")
        start = time.process_time()
        plan = load(Path(place), load_options()).plan()
        loaded = time.process_time()
        assert plan.builds and not plan.failed
    format_source(text)
    return loaded - start, time.process_time() - loaded


def main() -> None:
    """Print seconds for each size, and how they grow for each line in comparison with the smallest size."""
    measured(template(100))  # imports what is imported once
    rows = [(lines, *measured(template(lines))) for lines in SIZES]
    first = rows[0]
    print("lines    validate s  per line    fmt s  per line")
    for lines, validating, formatting in rows:
        growth = [seconds / lines / (base / first[0]) for seconds, base in ((validating, first[1]), (formatting, first[2]))]
        print(f"{lines:6} {validating:12.2f} {growth[0]:9.2f} {formatting:8.2f} {growth[1]:9.2f}")
    sys.exit(0 if rows[1][1] < 1 else 1)


if __name__ == "__main__":
    main()
