"""Post-processor `manifest`."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest

from goldsmith.components import Artifact, Context
from goldsmith.hcl.diagnostics import UserError
from goldsmith.postprocessors.manifest import Manifest, ManifestConfig

EXPECTED = """{
  "builds": [
    {
      "name": "a",
      "builder_type": "file",
      "build_time": 1700000000,
      "files": [
        {
          "name": "out/one",
          "size": 10
        },
        {
          "name": "out/two",
          "size": 300000
        }
      ],
      "artifact_id": "File",
      "packer_run_uuid": "6f2e",
      "custom_data": {
        "by": "\\u003cme\\u003e \\u0026 ü"
      }
    }
  ],
  "last_run_uuid": "6f2e"
}"""


def test_the_text_is_what_packer_writes(artifact: Artifact, context: Context) -> None:
    done = Manifest().process(ManifestConfig(custom_data={"by": "<me> & ü"}), artifact, context)

    assert (context.cwd / "packer-manifest.json").read_text() == EXPECTED
    assert done.artifact is artifact
    assert (done.keep_input, done.must_keep) == (True, True)
    assert [path.name for path in context.cwd.iterdir() if "manifest" in path.name] == ["packer-manifest.json"]


def test_what_is_missing_is_null_or_left_out(context: Context) -> None:
    nothing = Artifact(builder_id="fnoeding.null", id="Null", text="")

    Manifest().process(ManifestConfig(strip_time=True), nothing, context)

    (build,) = json.loads((context.cwd / "packer-manifest.json").read_text())["builds"]
    assert "build_time" not in build
    assert (build["files"], build["custom_data"]) == (None, None)


def test_paths_can_be_stripped(artifact: Artifact, context: Context) -> None:
    Manifest().process(ManifestConfig(strip_path=True, output="deep/m.json"), artifact, context)

    (build,) = json.loads((context.cwd / "deep/m.json").read_text())["builds"]
    assert [file["name"] for file in build["files"]] == ["one", "two"]


def test_builds_are_added_and_force_starts_anew_once_a_run(artifact: Artifact, context: Context) -> None:
    def built(run: str, *, force: bool = False) -> list[str]:
        Manifest().process(ManifestConfig(), artifact, replace(context, run_uuid=run, force=force))
        document = json.loads((context.cwd / "packer-manifest.json").read_text())
        return [build["packer_run_uuid"] for build in document["builds"]]

    assert built("1") == ["1"]
    assert built("2") == ["1", "2"]
    assert built("3", force=True) == ["3"]
    assert built("3", force=True) == ["3", "3"]


def test_builds_that_end_at_once_are_all_listed(artifact: Artifact, context: Context) -> None:
    (context.cwd / "packer-manifest.json.lock").touch()  # as a killed process leaves it
    work = [threading.Thread(target=Manifest().process, args=(ManifestConfig(), artifact, context)) for _ in range(12)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()

    assert len(json.loads((context.cwd / "packer-manifest.json").read_text())["builds"]) == 12
    assert not (context.cwd / "packer-manifest.json.lock").exists()


def test_an_empty_file_is_an_empty_manifest(artifact: Artifact, context: Context) -> None:
    (context.cwd / "packer-manifest.json").touch()

    Manifest().process(ManifestConfig(), artifact, context)

    assert len(json.loads((context.cwd / "packer-manifest.json").read_text())["builds"]) == 1


@pytest.mark.parametrize("content", ["[]", '{"builds": 3}', '{"other": 1}'])
def test_a_file_that_is_no_manifest_is_left_alone(content: str, artifact: Artifact, context: Context) -> None:
    (context.cwd / "packer-manifest.json").write_text(content)

    with pytest.raises(UserError, match="Unable to parse content from"):
        Manifest().process(ManifestConfig(), artifact, context)

    assert (context.cwd / "packer-manifest.json").read_text() == content
