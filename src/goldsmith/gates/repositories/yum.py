"""The repositories of an rpm family image: `*.repo` files as dnf, yum, tdnf and zypper read them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from configparser import ConfigParser, Error, SectionProxy
from urllib.parse import urlsplit

from goldsmith.gates.contract import Skipped
from goldsmith.gates.inventory import Inventory
from goldsmith.gates.repositories.repository import ON_THE_MACHINE, Configured, Repository
from goldsmith.gates.tree import Tree

FILES = ("etc/dnf/dnf.conf", "etc/yum.conf", "etc/yum.repos.d/*.repo", "etc/distro.repos.d/*.repo", "etc/zypp/repos.d/*.repo")
"""Where repositories are named (dnf.conf(5), zypper(8)), each place overriding those before it."""
VARIABLES = ("etc/yum/vars", "etc/dnf/vars", "etc/zypp/vars.d")
KEYS = ("etc/pki/rpm-gpg/*", "usr/lib/rpm/gnupg/keys/*")
"""The keys of distributions, for repositories that name none of the image's files."""
_REMOTE = frozenset({"http", "https"})
_BASE_ARCHITECTURES: Mapping[str, str] = {
    **dict.fromkeys(("i386", "i486", "i586", "i686", "athlon"), "i386"),
    **dict.fromkeys(("armv7hl", "armv7hnl"), "armhfp"),
}
_MAJOR_ONLY = frozenset({"redhat", "centos", "alma", "rocky", "oracle"})
"""Families whose `$releasever` is the first number of VERSION_ID."""
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


def read_yum(tree: Tree, inventory: Inventory, architecture: str) -> Configured:
    """The repositories that are switched on, with the variables in their addresses filled in."""
    variables = _variables(tree, inventory, architecture)
    found: dict[str, Repository] = {}
    faults: list[str] = []
    for path, section in _sections(tree, faults):
        found.pop(section.name, None)
        if _is_on(section.get("enabled", "1")):
            found[section.name] = _repository(section, path, variables, tree)
    asked: list[Repository] = []
    local: list[str] = []
    for repository in found.values():
        schemes = {urlsplit(address).scheme for address in repository.addresses}
        if not schemes or any("@" in urlsplit(address).netloc for address in repository.addresses):
            why = "its address holds a login" if schemes else "it has no address"
            faults.append(f'the repository "{repository.id}" of /{repository.place} cannot be asked: {why}')
        elif schemes & _REMOTE:
            asked.append(repository)
        else:
            local.append(repository.id)
    skipped = (Skipped(reason=ON_THE_MACHINE, count=len(local), sample=tuple(local)),) if local else ()
    return Configured(repositories=tuple(asked), faults=tuple(faults), skipped=skipped)


def key_files(tree: Tree) -> tuple[str, ...]:
    """Files with the keys that the distribution put into the image."""
    return tuple(path for pattern in KEYS for path in tree.glob(pattern))


def _sections(tree: Tree, faults: list[str]) -> Iterator[tuple[str, SectionProxy]]:
    for path in (path for pattern in FILES for path in tree.glob(pattern)):
        parser = ConfigParser(interpolation=None, strict=False, delimiters=("=",), empty_lines_in_values=False)
        try:
            parser.read_string(tree.text(path) or "")
        except (Error, OSError) as error:
            faults.append(f"/{path} cannot be read: {' '.join(str(error).split())}")
            continue
        yield from ((path, parser[name]) for name in parser.sections() if name != "main")


def _repository(section: SectionProxy, path: str, variables: Mapping[str, str], tree: Tree) -> Repository:
    def texts(name: str) -> tuple[str, ...]:
        return tuple(_filled(text, variables) for text in re.split(r"[\s,]+", section.get(name, "")) if text)

    inner = _filled(section.get("path", ""), variables).strip("/")
    named = (urlsplit(key) for key in texts("gpgkey"))
    keys = (key.path.lstrip("/") for key in named if key.scheme == "file")
    priority = section.get("priority", "")
    return Repository(
        form="rpm",
        id=section.name,
        place=path,
        bases=tuple(f"{url.rstrip('/')}/{f'{inner}/' if inner else ''}" for url in texts("baseurl")),
        mirrorlist=next(iter(texts("mirrorlist")), ""),
        metalink=next(iter(texts("metalink")), ""),
        keys=tuple(key for key in keys if tree.has(key)) or key_files(tree),
        priority=int(priority) if priority.isdecimal() else 99,
    )


def _variables(tree: Tree, inventory: Inventory, architecture: str) -> Mapping[str, str]:
    """`$releasever` and the like: what dnf finds out, and what the image sets."""
    release = inventory.distribution.release
    if inventory.distribution.family in _MAJOR_ONLY:
        release = release.partition(".")[0]
    elif inventory.distribution.family == "amazon":
        # Amazon Linux 2023 locks its repositories to the release that is installed, which VERSION_ID does not tell.
        own = (item.version.partition("-")[0] for item in inventory.packages if item.name == "system-release")
        release = next(own, release)
    found = {
        "releasever": release,
        "releasever_major": release.partition(".")[0],
        "releasever_minor": release.partition(".")[2],
        "basearch": _BASE_ARCHITECTURES.get(architecture, architecture),
        "arch": architecture,
    }
    for directory in VARIABLES:
        for path in tree.glob(f"{directory}/*"):
            found[path.rpartition("/")[2]] = (tree.text(path) or "").strip().partition("\n")[0]
    return found


def _filled(text: str, variables: Mapping[str, str]) -> str:
    """With the values of variables; an unknown one stays, as dnf leaves it."""
    return _VARIABLE.sub(lambda match: variables.get(match[1] or match[2], match[0]), text)


def _is_on(text: str) -> bool:
    return text.strip().lower() in ("1", "yes", "true", "on")
