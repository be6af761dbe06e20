"""Provisioner `file` against a real tree."""

from __future__ import annotations

from dataclasses import replace

import pytest

from goldsmith.components import Context
from goldsmith.hcl.diagnostics import MachineError, UserError
from goldsmith.provisioners.file import File, FileConfig
from tests.provisioners.provisioner_machine import Recorder, TreeMachine


def run(machine: TreeMachine, context: Context, **settings: object) -> None:
    File().run(FileConfig(**settings), machine, context)  # type: ignore[arg-type] # the values are given by each test


def write(context: Context, name: str, content: str = "x") -> None:
    path = context.cwd / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def test_a_file_keeps_its_content_and_mode(machine: TreeMachine, context: Context, recorder: Recorder) -> None:
    write(context, "tool", "#!/bin/sh\n")
    (context.cwd / "tool").chmod(0o750)

    run(machine, context, source="tool", destination="/srv/run")

    assert (machine.changed / "srv/run").read_text() == "#!/bin/sh\n"
    assert (machine.changed / "srv/run").stat().st_mode & 0o777 == 0o750
    assert recorder.lines() == ["Uploading tool => /srv/run"]


def test_a_file_goes_into_a_destination_that_ends_in_a_slash(machine: TreeMachine, context: Context) -> None:
    write(context, "a")
    write(context, "sub/b")

    run(machine, context, sources=("a", "sub/b"), destination="/srv/")

    assert sorted(path.name for path in (machine.changed / "srv").iterdir()) == ["a", "b"]


@pytest.mark.parametrize(("source", "there"), [("site", "srv/site/in/page"), ("site/", "srv/in/page")])
def test_only_a_trailing_slash_means_the_contents(machine: TreeMachine, context: Context, source: str, there: str) -> None:
    write(context, "site/in/page")

    run(machine, context, source=source, destination="/srv")

    assert (machine.changed / there).is_file()


def test_content_needs_no_file(machine: TreeMachine, context: Context) -> None:
    run(machine, context, content="hello", destination="/etc/motd")

    assert (machine.changed / "etc/motd").read_text() == "hello"


def test_downloads_make_the_directories_they_need(machine: TreeMachine, context: Context) -> None:
    machine.put(b"l", "/srv/log")

    run(machine, context, direction="download", source="/srv/log", destination="out/deep/")
    run(machine, context, direction="download", source="/srv/", destination="whole")

    assert (context.cwd / "out/deep/log").read_text() == "l"
    assert (context.cwd / "whole/log").read_text() == "l"


def test_a_pattern_downloads_all_that_match(machine: TreeMachine, context: Context) -> None:
    for name in ("a 1", "a2", "b"):
        machine.put(name.encode(), f"/srv/{name}")
    machine.run(["mkdir", "/srv/a-directory"])

    run(machine, context, direction="download", source="/srv/a*", destination="out")

    assert sorted(path.name for path in (context.cwd / "out").iterdir()) == ["a 1", "a-directory", "a2"]


def test_a_pattern_without_match_is_an_error(machine: TreeMachine, context: Context) -> None:
    with pytest.raises(MachineError, match="nothing in the machine matches"):
        run(machine, context, direction="download", source="/srv/*.iso", destination="out")


def test_a_generated_source_may_come_late_but_must_come(machine: TreeMachine, context: Context) -> None:
    config = FileConfig(source="late", destination="/srv/late", generated=True)
    File().check(config, context)
    assert File().files(config, context) == []
    with pytest.raises(UserError, match="Bad source 'late'"):
        File().run(config, machine, context)

    write(context, "late")
    File().run(config, machine, context)

    assert File().files(config, context) == [context.cwd / "late"]
    assert (machine.changed / "srv/late").is_file()


def test_a_download_is_never_taken_from_the_cache(context: Context) -> None:
    config = FileConfig(source="/etc/x", destination="x", direction="download")

    assert File().inputs(config, context) != File().inputs(config, replace(context, run_uuid="other"))
    assert File().files(config, context) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": "a"}, "Destination must be specified."),
        ({"destination": "/a"}, "source, sources or content must be specified."),
        ({"destination": "/a", "content": "x", "source": "a"}, "source(s) conflicts with content."),
        ({"destination": "/a", "content": "x", "direction": "up"}, "Direction must be one of: download, upload."),
        ({"destination": "/a", "source": "none"}, "Bad source 'none'"),
    ],
)
def test_wrong_settings_are_told_in_packers_words(settings: dict[str, str], message: str, context: Context) -> None:
    with pytest.raises(UserError) as caught:
        File().check(FileConfig(**settings), context)  # type: ignore[arg-type] # the values are given by each case

    assert message in str(caught.value)
