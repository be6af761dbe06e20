"""The patches gate on Debian images that were built elsewhere: apt fetches the suites that the image itself names."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldsmith.components import Duration
from goldsmith.gates.patches import PatchesConfig
from goldsmith.gates.repositories.apt_sources import read_apt_sources
from goldsmith.gates.tree import Tree
from tests.gates.advisory_workbench import Host, advisory, package, told, tree
from tests.gates.repository_workbench import DAY, HOST, Image
from tests.sources.archive_workbench import Keys, Repository, make_keys

MAIN, SECURITY = f"http://{HOST}/debian", f"http://{HOST}/debian-security"
SOURCES = f"""Types: deb deb-src
URIs: {MAIN}
# a comment
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/archive.gpg

Types: deb
URIs: {SECURITY}
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/archive.gpg
"""


@pytest.fixture(scope="module")
def apt_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Keys, Keys]]:
    made = make_keys(tmp_path_factory.mktemp("k")), make_keys(tmp_path_factory.mktemp("o"))
    yield made
    for keys in made:
        subprocess.run(["gpgconf", "--homedir", str(keys.home), "--kill", "all"], check=True)


@pytest.fixture
def image(tmp_path: Path, apt_keys: tuple[Keys, Keys]) -> Image:
    made = Image(tmp_path)
    tree(made.tree, (package("curl", "7.88.1-11"), package("bash", "5.2-1")))
    made.write("usr/share/keyrings/archive.gpg", apt_keys[0].public.read_bytes())
    made.write("etc/apt/sources.list.d/debian.sources", SOURCES)
    return made


def publish(image: Image, keys: Keys, curl: str, date: float = 0) -> None:
    """The archive with bash and curl, and its security suite with another curl."""
    for place, suite, packages in (
        ("debian", "bookworm", {"bash": "5.2-1", "curl": "7.88.1-11"}),
        ("debian-security", "bookworm-security", {"curl": curl}),
    ):
        archive = Repository(image.mirror / HOST / place, keys)
        for name, version in packages.items():
            archive.add(name, version)
        archive.publish(suite, date=int(date or time.time()) - 60)


def test_an_image_is_held_against_the_suites_that_it_names(image: Image, apt_keys: tuple[Keys, Keys]) -> None:
    publish(image, apt_keys[0], "7.88.1-11")
    result = image.judge()
    assert (result.verdict, result.reasons) == ("pass", ())

    publish(image, apt_keys[0], "7.88.1-11+deb12u5")
    assert image.judge().verdict == "pass", "for a day, the index that was fetched counts"
    image.forget_when_fetched(DAY + 60)
    result = image.judge()
    assert (result.verdict, result.failing) == ("fail", ("curl 7.88.1-11+deb12u5",))
    assert "upgrade it in the step that installs it" in result.reasons[0]


def test_an_update_is_young_by_an_index_of_another_day_and_advisories_tell_what_it_fixes(
    image: Image, apt_keys: tuple[Keys, Keys]
) -> None:
    Host(image.cache).advise(advisory("CVE-2024-7", "7.88.1-11+deb12u5"), told("CVE-2024-7"))
    publish(image, apt_keys[0], "7.88.1-11", time.time() - 3 * DAY)
    assert image.judge().verdict == "pass"
    image.forget_when_fetched(DAY + 60)
    publish(image, apt_keys[0], "7.88.1-11+deb12u5")

    result = image.judge(PatchesConfig(mirror="mirror", within=Duration(7 * DAY)))

    assert result.verdict == "warn", result.reasons
    assert "not yet offered on" in result.reasons[0]
    assert result.facts.findings[0].aliases == ("CVE-2024-7",)


def test_what_cannot_be_told_is_an_error(image: Image, apt_keys: tuple[Keys, Keys]) -> None:
    publish(image, apt_keys[1], "7.88.1-11")
    assert image.judge().verdict == "error"

    publish(image, apt_keys[0], "7.88.1-11")
    image.write("etc/apt/sources.list.d/debian.sources", SOURCES.partition("\n\n")[0])
    result = image.judge()
    assert result.verdict == "error"
    assert "none of the suites that the image names has security updates" in result.reasons[0]

    image.write("etc/apt/sources.list.d/debian.sources", "")
    assert "/etc/apt names no suite" in image.judge().reasons[0]

    image.write("etc/apt/sources.list.d/debian.sources", SOURCES)
    (image.tree / "usr/share/keyrings/archive.gpg").unlink()
    assert image.judge().verdict == "error"


def test_sources_are_read_as_apt_reads_them(tmp_path: Path) -> None:
    image = Image(tmp_path)
    image.write("etc/apt/trusted.gpg.d/a.gpg", "")
    image.write(
        "etc/apt/sources.list",
        "# deb http://no x main\n deb [arch=amd64 signed-by=/k/one.gpg] http://one/debian/ stable main contrib # c\n"
        "deb http://two/debian stable-updates main\ndeb-src http://no x main\ndeb cdrom:[x]/ stable main\n"
        "deb https://me:geheim@three/ stable main\ndeb http://four/flat ./\n",
    )
    image.write("etc/apt/sources.list.d/off.sources", "Types: deb\nURIs: http://no\nSuites: x\nComponents: main\nEnabled: no\n")
    image.write("etc/apt/sources.list.d/note.txt", "deb http://no x main\n")

    found = read_apt_sources(Tree(image.tree))

    assert [(item.url, item.suite, item.components, item.keys) for item in found.suites] == [
        ("http://one/debian", "stable", ("main", "contrib"), ("k/one.gpg",)),
        ("http://two/debian", "stable-updates", ("main",), ("etc/apt/trusted.gpg.d/a.gpg",)),
    ]
    assert [item.sample for item in found.skipped] == [("stable",)]
    assert len(found.faults) == 2
    assert "geheim" not in str(found)
