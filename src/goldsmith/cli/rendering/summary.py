"""What a build ends with: what failed, what was made, and what is proven of the images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from goldsmith.cli.rendering.lines import duration, size
from goldsmith.cli.saying import say

if TYPE_CHECKING:
    from goldsmith.build import BuildResult
    from goldsmith.project import ImageOutcome


def say_summary(outcomes: Sequence[ImageOutcome]) -> None:
    """What came of the builds, in Packer's words, and what is proven of the images."""
    results = [result for outcome in outcomes for result in outcome.results]
    _say_failures([result for result in results if not result.succeeded])
    _say_artifacts([result for result in results if result.succeeded])
    for outcome in outcomes:
        _say_proof(outcome)


def _say_failures(failed: Sequence[BuildResult]) -> None:
    if failed:
        say("\n==> Some builds didn't complete successfully and had errors:", "error")
    for result in failed:
        say(f"--> {result.build.full_name}: {result.error or 'Build was cancelled'}", "error")
        for diagnostic in result.error.diagnostics if result.error else ():
            say(f"    {diagnostic.next}  [{diagnostic.code}]".rstrip(), "error")


def _say_artifacts(succeeded: Sequence[BuildResult]) -> None:
    made = [(result.build.full_name, item.text) for result in succeeded for item in result.artifacts]
    if not made:
        say("\n==> Builds finished but no artifacts were created.")
        return
    say("\n==> Builds finished. The artifacts of successful builds are:")
    for name, text in made:
        say(f"--> {name}: {text}")


def _say_proof(outcome: ImageOutcome) -> None:
    certificate = outcome.certificate
    if certificate is None:
        return
    seconds = sum(result.seconds for result in outcome.results)
    bytes_ = sum(path.stat().st_size for path in certificate.files)
    verdict = certificate.verdict.upper() if certificate.verdict else "NOT EXAMINED"
    told = f"{certificate.image}:{certificate.number} {verdict}"
    say(f"{told}  {certificate.digest}  {size(bytes_)}, built in {duration(seconds)}")
    for sentence in certificate.shortcomings:
        say(f"  {sentence}")
