"""Post-processors `artifice` and `shell-local`: what becomes of the artifact."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldsmith.components import Artifact, Context
from goldsmith.events import Event, Output, Warned
from goldsmith.hcl.diagnostics import MachineError, UserError
from goldsmith.local_scripts import LocalScriptConfig
from goldsmith.postprocessors.artifice import BUILDER_ID, Artifice, ArtificeConfig
from goldsmith.postprocessors.shell_local import ShellLocal


def test_the_named_files_become_the_artifact(artifact: Artifact, context: Context, events: list[Event]) -> None:
    for name in ("b.img", "a.img", "c.txt"):
        (context.cwd / name).touch()

    done = Artifice().process(ArtificeConfig(files=("*.img", "a.img")), artifact, context)

    assert done.artifact is not None
    assert (done.artifact.builder_id, done.artifact.files) == (BUILDER_ID, (Path("a.img"), Path("b.img")))
    assert (done.keep_input, done.must_keep) == (True, False)
    assert [event.text for event in events if isinstance(event, Output)] == [
        "Discarding files from artifact: out/one, out/two",
        "Using these artifact files: a.img, b.img",
    ]


def test_whole_names_may_be_given(artifact: Artifact, context: Context) -> None:
    done = Artifice().process(ArtificeConfig(files=(f"{context.cwd}/out/o*",)), artifact, context)

    assert done.artifact is not None
    assert done.artifact.files == (context.cwd / "out/one",)


def test_a_name_without_a_file_is_warned_of(artifact: Artifact, context: Context, events: list[Event]) -> None:
    done = Artifice().process(ArtificeConfig(files=("out/t*", "*.iso", "out/one")), artifact, context)

    assert done.artifact is not None
    assert done.artifact.files == (Path("out/two"), Path("out/one"))
    assert [event.text for event in events if isinstance(event, Warned)] == ['artifice: no file matches "*.iso"']


def test_some_file_must_match(artifact: Artifact, context: Context) -> None:
    with pytest.raises(UserError, match=r'finds no file that matches "\*.iso" or "out/none"'):
        Artifice().process(ArtificeConfig(files=("*.iso", "out/none")), artifact, context)


def test_no_names_are_the_users_error(context: Context) -> None:
    with pytest.raises(UserError, match="No files specified in artifice configuration"):
        Artifice().check(ArtificeConfig(), context)


def test_a_script_leaves_the_artifact_as_it_is(artifact: Artifact, context: Context, events: list[Event]) -> None:
    done = ShellLocal().process(LocalScriptConfig(inline=("echo $PACKER_BUILD_NAME", "ls out")), artifact, context)

    said = [event for event in events if isinstance(event, Output)]
    assert [event.text for event in said if event.kind == "out"] == ["a", "one", "two"]
    assert {event.component for event in said} == {"shell-local"}
    assert done.artifact is artifact
    assert (done.keep_input, done.must_keep) == (True, True)


def test_a_script_that_fails_fails_the_chain(artifact: Artifact, context: Context) -> None:
    with pytest.raises(MachineError, match="non-zero exit status: 4"):
        ShellLocal().process(LocalScriptConfig(inline=("exit 4",)), artifact, context)
