"""A drafted image: its files say what the specification says, its names exist, each value says where it came from."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.assist.draft import draft, write
from goldsmith.assist.drafted import read_drafted
from goldsmith.assist.image_spec import ImageSpec
from goldsmith.assist.rendering import render
from goldsmith.assist.shapes import Json
from goldsmith.assist.spec_filling import described, merged, origins, spec_of
from goldsmith.assist.spec_names import ArchiveIndex, name_faults, release_of
from goldsmith.cli.app import run
from goldsmith.hcl.diagnostics import UserError
from goldsmith.hcl.format import format_source
from goldsmith.sources.archive import ArchiveRequest
from goldsmith.sources.resolution import Archive, PackageRequest
from tests.sources.archive_workbench import Repository, make_keys, new_context_in, serve

M = TypeVar("M", bound=Mapping[str, object])
BASE: dict[str, Json] = {
    "name": "web",
    "purpose": "a web server",
    "start": {"kind": "archive", "distribution": "debian", "release": "bookworm"},
    "sources": [{"kind": "disk"}],
}


def spec(**more: Json) -> ImageSpec:
    return spec_of({**BASE, **more})


# ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

_NAME = st.from_regex(r"[a-z][a-z0-9]{0,6}(-[a-z0-9]{1,4})?", fullmatch=True)
_TEXT = st.one_of(
    st.sampled_from(
        ("it serves", 'a "b" ${c} %{d} {{ e }}', "- low: x", "yes", "# no", "ünï ✓", "a: b", "'", "\\n", "1.0", "~")
    ),
    st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=30),
)
_LINES = st.lists(st.one_of(_TEXT, st.just("\tkey = {{ x }}"), st.just("")), max_size=4).map("\n".join)


def _unique(items: st.SearchStrategy[M], key: str) -> st.SearchStrategy[list[M]]:
    return st.lists(items, max_size=3, unique_by=lambda item: str(item[key]))


_STARTS = st.sampled_from(
    [
        (
            {"kind": "archive", "distribution": "ubuntu", "release": "noble"},
            [{"kind": "disk", "formats": ["raw", "oci"], "disk_gb": 9}],
        ),
        ({"kind": "parent", "image": "base", "channel": "prod"}, [{"kind": "disk"}]),
        (
            {"kind": "cloud-image", "distribution": "debian", "release": "trixie", "arch": "arm64"},
            [{"kind": "qemu", "format": "raw"}],
        ),
        (
            {"kind": "cloud-image", "distribution": "ubuntu", "release": "jammy"},
            [
                {"kind": "amazon-ebs", "region": "eu-central-1", "encrypt": False},
                {"kind": "qemu", "disk_gb": 20, "memory_mb": 512},
            ],
        ),
    ]
)
_PACKAGE = st.fixed_dictionaries({"name": _NAME.map("p{}".format)}, optional={"version": st.just("1:2.0~a-1"), "why": _TEXT})
_SERVICE = st.fixed_dictionaries({"unit": _NAME.map("{}@x.service".format), "state": st.sampled_from(("enabled", "masked"))})
_FILE = st.fixed_dictionaries({"path": _NAME.map("/etc/{}".format), "content": _LINES, "mode": st.just("0600")})
_VARS = st.fixed_dictionaries({"x": _TEXT, "y": st.booleans()})
_ROLE = st.fixed_dictionaries({"name": st.sampled_from(("a.b", "c.d.e")), "version": st.just("1.0"), "vars": _VARS})
_QUESTION = st.fixed_dictionaries({"text": _TEXT, "blocking": st.booleans()}, optional={"default": _TEXT})
_EXCEPTION = {"control": "GS-001", "reason": 'it ${is} "so"', "owner": "x", "until": "2027-01-01"}
_CHANNELS = [{"name": "dev"}, {"name": "prod", "after": "dev", "requires": ["boot"], "approvals": 1}]
_SPECS = st.fixed_dictionaries(
    {
        "name": _NAME,
        "purpose": _TEXT,
        "kind": st.sampled_from(("base", "app")),
        "packages": _unique(_PACKAGE, "name"),
        "services": _unique(_SERVICE, "unit"),
        "users": _unique(st.fixed_dictionaries({"name": _NAME, "groups": st.just(["adm"]), "system": st.booleans()}), "name"),
        "files": _unique(_FILE, "path"),
        "roles": _unique(_ROLE, "name"),
        "first_boot": _unique(st.fixed_dictionaries({"name": _NAME, "command": _TEXT.map("/bin/echo {}".format)}), "name"),
        "assumptions": _unique(st.fixed_dictionaries({"text": _TEXT, "confidence": st.sampled_from(("low", "high"))}), "text"),
        "open_questions": _unique(_QUESTION, "text"),
        "gates": st.just(["secrets", "boot", "hardening"]),
        "hardening": st.sampled_from([None, {"profile": "strict", "exceptions": [_EXCEPTION]}]),
        "channels": st.sampled_from([[], _CHANNELS]),
        "ports": st.sampled_from([[], ["tcp/80", "udp/53"]]),
    }
)


@settings(max_examples=40, deadline=None)
@given(_SPECS, _STARTS)
def test_what_is_rendered_says_what_was_meant(values: dict[str, Json], start: tuple[Json, Json]) -> None:
    meant = spec_of({**values, "start": start[0], "sources": start[1]})

    files = render(meant)

    assert read_drafted(meant.name, files) == meant
    assert render(meant) == files
    for path, text in files.items():
        assert not path.endswith(".hcl") or format_source(text) == text


def test_an_image_that_is_to_be_hardened_gets_the_role_that_hardens() -> None:
    hardened: dict[str, Json] = {"gates": ["secrets", "boot", "hardening"], "hardening": {"profile": "baseline"}}

    playbook = render(spec(**hardened))["web/playbook.yml"]

    assert "goldsmith.image.hardening" in playbook and "hardening_ssh_root_login: prohibit-password" in playbook
    assert "goldsmith.image.hardening" not in render(spec())["web/playbook.yml"]
    listed: Json = {"name": "goldsmith.image.hardening", "version": "1.0", "vars": {}}
    assert render(spec(**hardened, roles=[listed]))["web/playbook.yml"].count("goldsmith.image.hardening") == 1


def test_a_draft_is_tried_before_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "agent.sh").write_text("#!/bin/sh\ntrue\n")
    (tmp_path / "x.conf").write_text("x\n")
    digest = hashlib.sha256((tmp_path / "agent.sh").read_bytes()).hexdigest()
    meant = spec(
        scripts=[{"path": "agent.sh", "sha256": digest}], files=[{"path": "/etc/x.conf", "from": "x.conf"}], ports=["tcp/22"]
    )

    made = draft(meant, tmp_path, {})
    assert not (tmp_path / "web").exists()
    write(made, tmp_path)

    assert (tmp_path / "web/agent.sh").read_text() == "#!/bin/sh\ntrue\n"
    assert (
        draft(spec(name="api", start={"kind": "parent", "image": "web"}), tmp_path, {}).files["goldsmith.hcl"].count("image ")
        == 2
    )
    assert run(["validate", str(tmp_path)]) == 0


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"open_questions": [{"text": "Where is the agent?", "blocking": True}]}, "draft.open-question"),
        ({"start": {"kind": "parent", "image": "base"}}, "draft.no-parent"),
        ({"scripts": [{"path": "missing.sh"}]}, "draft.file-missing"),
        ({"scripts": [{"path": "own.sh", "sha256": "0" * 64}]}, "draft.other-script"),
        ({"scripts": [{"path": "leaky.sh"}]}, "script.literal-secret"),
        ({"files": [{"path": "/etc/app.conf", "content": "db_password = Zq7vLm2xKp9\n"}]}, "text.literal-secret"),
        ({"start": {"kind": "archive", "distribution": "debian", "release": "bookwrm"}}, None),
    ],
)
def test_what_is_open_missing_or_secret_stops_a_draft(more: dict[str, Json], code: str | None, tmp_path: Path) -> None:
    (tmp_path / "own.sh").write_text("#!/bin/sh\n")
    (tmp_path / "leaky.sh").write_text("#!/bin/sh\nDB_PASSWORD=Zq7vLm2xKp9\nuse $DB_PASSWORD\n")
    if code is None:
        assert draft(spec(**more), tmp_path, {}).spec.name == "web"  # any release is tried; its index tells whether it is there
        return

    with pytest.raises(UserError) as caught:
        draft(spec(**more), tmp_path, {})

    assert code in [item.code for item in caught.value.diagnostics]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["leaky.sh", "own.sh"]
    assert "Zq7vLm2xKp9" not in str(caught.value)


@pytest.mark.parametrize(
    "more",
    [
        {"root_password": "x"},
        {"sources": [{"kind": "disk", "ami": "ami-1"}]},
        {"sources": [{"kind": "qemu"}]},
        {"files": [{"path": "/etc/x", "from": "../../etc/shadow"}]},
        {"files": [{"path": "/etc/x"}]},
        {"packages": [{"name": "nginx; reboot"}]},
        {"packages": [{"name": "nginx"}, {"name": "nginx"}]},
        {"purpose": "two\nlines"},
        {"gates": ["secrets"], "hardening": {"profile": "baseline"}},
        {"channels": [{"name": "prod", "after": "dev"}]},
        {"first_boot": [{"name": "x", "command": "rm -rf /"}]},
        {"start": {"kind": "parent"}},
        {"name": ""},
    ],
)
def test_what_no_specification_may_say_is_refused(more: dict[str, Json]) -> None:
    with pytest.raises(UserError) as caught:
        spec(**more)

    assert {item.code for item in caught.value.diagnostics} <= {"draft.invalid", "draft.missing"}


# ── where values come from ────────────────────────────────────────────────────────────────────────────────────────────


def test_every_value_says_where_it_came_from_and_a_persons_goes_first() -> None:
    user: dict[str, Json] = {"name": "web", "packages": [{"name": "nginx"}]}
    model: dict[str, Json] = {**BASE, "name": "evil", "packages": [{"name": "nginx", "why": "it serves"}, {"name": "curl"}]}
    made = spec_of(merged(user, model))

    told = origins(made, [("user", user), ("model", model)])

    assert [package.name for package in made.packages] == ["nginx", "curl"] and made.name == "web"
    assert (told["/name"], told["/purpose"], told["/kind"]) == ("user", "model", "default")
    assert (told["/packages/0/name"], told["/packages/0/why"], told["/packages/1/name"]) == ("user", "model", "model")


BOOKWORM = {"kind": "archive", "distribution": "debian", "release": "bookworm"}
PORTS = ["tcp/22", "tcp/80", "udp/53"]
DESCRIPTIONS: tuple[tuple[str, dict[str, Json]], ...] = (
    ("a Debian 12 base with chrony", {"start": BOOKWORM, "packages": [{"name": "chrony"}]}),
    ("Ubuntu 22.04 on AWS in eu-west-1", {"sources": [{"kind": "amazon-ebs", "region": "eu-west-1"}]}),
    ("Debian 12 on AWS and QEMU", {"sources": [{"kind": "qemu"}, {"kind": "amazon-ebs"}]}),
    ("trixie, CIS baseline", {"hardening": {"profile": "baseline"}, "gates": ["secrets", "boot", "hardening"]}),
    ("nginx on top of base, port 80 and port udp 53", {"start": {"kind": "parent", "image": "base"}, "ports": PORTS}),
    ("something else", {}),
)


def test_words_of_a_description_are_taken_only_for_what_they_plainly_say() -> None:
    for text, wanted in DESCRIPTIONS:
        found = described(text, frozenset({"chrony", "nginx", "base", "on", "a"}), ["base"])
        assert {name: found.get(name) for name in wanted} == wanted, text
    assert described("something else") == {}


# ── names ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArchiveIndex]:
    """A signed archive on loopback with a server whose unit lies in another package, fetched and verified by apt."""
    place = tmp_path_factory.mktemp("a")
    keys = make_keys(place)
    repository = Repository(place / "archive", keys)
    repository.add("nginx", "1.22.1-9", Depends="nginx-common (>= 1.22), libc6")
    repository.add("nginx-common", "1.22.1-9")
    _with_unit(repository, "nginx-common", "lib/systemd/system/nginx.service")
    repository.add("chrony", "4.3-2")
    repository.publish()
    server = serve(repository.root)
    request = PackageRequest(
        archive=ArchiveRequest(
            distribution="debian", release="bookworm", mirrors=(server.url,), security=False, suites=("bookworm",)
        ),
        packages=(),
        architecture="amd64",
        keyring=keys.public,
    )
    archive = Archive(request, new_context_in(place, []))
    yield ArchiveIndex(archive, archive.lists_of_today())
    server.stop()
    subprocess.run(["gpgconf", "--homedir", str(keys.home), "--kill", "all"], check=True)


def _with_unit(repository: Repository, name: str, unit: str) -> None:
    """Build a package of the pool anew, with a unit."""
    path = next((repository.root / "pool").glob(f"{name}_*.deb"))
    tree = repository.root.parent / f"tree-{name}"
    (tree / unit).parent.mkdir(parents=True)
    (tree / unit).write_text("[Service]\nExecStart=/bin/true\n")
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", "-Zxz", str(tree), str(path)], check=True, capture_output=True)
    old = repository.pool[path.name].partition("Filename:")[0]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    repository.pool[path.name] = f"{old}Filename: pool/{path.name}\nSize: {path.stat().st_size}\nSHA256: {digest}\n"


def test_names_are_held_against_the_signed_index(index: ArchiveIndex) -> None:
    good = spec(packages=[{"name": "nginx", "version": "1.22.1-9"}, {"name": "chrony"}], services=[{"unit": "nginx.service"}])
    bad = spec(packages=[{"name": "ngnix"}, {"name": "nginx", "version": "1.99"}], services=[{"unit": "ngnix.service"}])

    assert list(name_faults(good, index)) == []
    assert [(fault.place, "nginx" in fault.what) for fault in name_faults(bad, index)] == [
        ("packages.0.name", True),
        ("packages.1.version", True),
        ("services.0.unit", True),
    ]


def test_a_layer_is_of_what_its_parents_template_says(tmp_path: Path) -> None:
    (tmp_path / "a.pkr.hcl").write_text(
        'variable "release" {\n  default = "trixie"\n}\nsource "bootstrap" "base" {\n  release = var.release\n}\n'
    )

    assert release_of({"kind": "parent", "image": "base"}, {"base": tmp_path}) == ("debian", "trixie")
    assert release_of({"kind": "parent", "image": "other"}, {"base": tmp_path}) is None
    assert release_of({"kind": "archive", "distribution": "ubuntu", "release": "noble"}, {}) == ("ubuntu", "noble")


# ── the command ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_command_drafts_without_a_model_a_network_or_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLDSMITH_CACHE", str(tmp_path / "cache"))

    assert (
        run(["draft", "-offline", "a Debian 12 base", "-name=base", "-package=chrony", "-service=chrony.service", "-json"]) == 0
    )
    told = json.loads(capsys.readouterr().out)
    assert told["spec"]["start"]["release"] == "bookworm"
    assert (told["origins"]["/name"], told["origins"]["/start/release"]) == ("user", "description")
    assert not (tmp_path / "base").exists()

    assert run(["draft", "-offline", "a Debian 12 base", "-name=base", "-dry-run"]) == 0
    assert 'source "bootstrap" "base"' in capsys.readouterr().out and not (tmp_path / "base").exists()
    assert run(["draft", "-offline", "a Debian 12 base", "-name=base"]) == 0
    assert run(["draft", "-offline", "a Debian 12 base", "-name=base"]) == 1
    assert "draft.name-taken" in capsys.readouterr().out
    assert run(["draft", "-offline", "nginx on top of base", "-name=web", "-package=nginx"]) == 0
    assert run(["draft", "-offline", "something"]) == 1
    assert capsys.readouterr().out.count("draft.missing") == 3
    (tmp_path / "spec.yaml").write_text("name: [x\n")
    assert run(["draft", "-offline", "-spec=spec.yaml"]) == 1
    assert "draft.spec" in capsys.readouterr().out


def test_what_json_says_is_read_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLDSMITH_CACHE", str(tmp_path / "cache"))
    assert run(["draft", "-offline", "a Debian 12 base", "-name=base", "-package=chrony", "-json"]) == 0
    told = capsys.readouterr().out
    (tmp_path / "told.json").write_text(told)

    assert run(["draft", "-offline", "-spec=told.json", "-json"]) == 0

    assert json.loads(capsys.readouterr().out)["spec"] == json.loads(told)["spec"]
