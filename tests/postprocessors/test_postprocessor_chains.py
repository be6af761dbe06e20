"""Chains of post-processors, run as a build runs them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from goldsmith.build.faults import joined
from goldsmith.build.postprocess import post_process
from goldsmith.components import Artifact, Context
from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.template import load, load_options


def run(chains: str, artifact: Artifact, context: Context) -> tuple[list[str], list[str]]:
    """The texts of the artifacts that are left, and the codes of the errors."""
    text = f'source "file" "a" {{ target = "o" }}\nbuild {{\n  sources = ["file.a"]\n{chains}\n}}'
    (context.cwd / "t.pkr.hcl").write_text(text)
    (build,) = load(context.cwd, load_options(environment={}, cwd=context.cwd)).plan().builds
    artifacts, errors = post_process(artifact, build.chains, context)
    return [item.text for item in artifacts], [item.code for error in errors for item in error.diagnostics]


def test_every_chain_runs_and_every_fault_is_told(artifact: Artifact, context: Context) -> None:
    gone = replace(artifact, files=(Path("out/gone"),))

    left, codes = run(
        """
        post-processor "compress" {}
        post-processor "shell-local" { inline = ["exit 4"] }
        post-processor "checksum" {}
        post-processor "shell-local" { inline = ["touch ran"] }
        """,
        gone,
        context,
    )

    assert codes == ["build.operating-system", "shell-local.exit-code", "build.operating-system"]
    assert (context.cwd / "ran").exists()
    assert left == ["Stored file", "Stored file"]
    assert not list(context.cwd.glob("packer_*"))


def test_several_errors_are_told_as_one() -> None:
    one, two = (MachineError(Diagnostic(code=code, what="it failed")) for code in ("one", "two"))

    both = joined((one, two))

    assert both is not None
    assert [item.code for item in both.diagnostics] == ["one", "two"]
    assert joined((one,)) is one
    assert joined(()) is None


def test_the_artifact_of_the_source_goes_when_no_chain_wants_it(artifact: Artifact, context: Context) -> None:
    left, codes = run('post-processor "compress" { output = "x.tar" }', artifact, context)

    assert (left, codes) == (["compressed artifacts in: x.tar"], [])
    assert not (context.cwd / "out/one").exists()
