"""What the room offers and what it costs to enter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from goldsmith.hcl import Scope, SourceFile, evaluate, functions, parse_expression
from goldsmith.hcl.values import string


def test_entering_the_room_imports_nothing_heavy() -> None:
    script = "import sys, goldsmith.hcl; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()

    assert not {"pydantic", "blake3", "rich", "click", "sqlalchemy", "re2", "regex", "yaml", "goldsmith.hcl.library"} & set(
        loaded
    )


def test_the_functions_of_the_language_work_with_the_evaluator(tmp_path: Path) -> None:
    expression = parse_expression(SourceFile("x", 'join("-", [for x in ["a", "b"] : upper(x)])'))

    assert evaluate(expression, Scope(functions=functions(tmp_path, 0))) == string("A-B")
