"""Sort keys of the versions of language packages: PEP 440, SemVer, Maven, RubyGems. None stands for what is no version."""

from __future__ import annotations

import re

from goldsmith.gates.advisories.numbers import number

_SEMVER = re.compile(
    r"v?(?P<numbers>\d+(?:\.\d+)*)(?:-(?P<pre>[0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?(?:/go\.mod)?",
    re.ASCII,
)
_GO_RELEASE = re.compile(r"go(?P<numbers>\d+(?:\.\d+)*)(?:(?P<stage>alpha|beta|rc)(?P<stage_number>\d+))?(?:[ -].*)?", re.ASCII)

_MAVEN_TOKENS = re.compile(r"([.-]?)(\d+|[^\d.-]+)")
_MAVEN_BEFORE = {"alpha": 1, "beta": 2, "milestone": 3, "rc": 4, "cr": 4, "snapshot": 5}
_MAVEN_SHORT = {"a": "alpha", "b": "beta", "m": "milestone"}
_MAVEN_NOTHING = frozenset({"ga", "final", "release"})

_GEM = re.compile(r"[0-9]+(?:\.[0-9A-Za-z]+)*(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?")


def pep440(version: str) -> bytes | None:
    """PEP 440, read by `packaging`: development releases, pre-releases, the release, post-releases, local versions."""
    from packaging.version import InvalidVersion, Version

    try:
        parsed = Version(version)
    except InvalidVersion:
        return None
    release = list(parsed.release)
    while len(release) > 1 and release[-1] == 0:
        release.pop()
    key = number(str(parsed.epoch)) + b"".join(b"\x02" + number(str(part)) for part in release) + b"\x01"
    if parsed.pre is not None:
        key += bytes((("a", "b", "rc").index(parsed.pre[0]) + 1,)) + number(str(parsed.pre[1]))
    else:
        key += b"\x00" if parsed.post is None and parsed.dev is not None else b"\xff"
    key += b"\x00" if parsed.post is None else b"\x01" + number(str(parsed.post))
    key += b"\xff" if parsed.dev is None else b"\x00" + number(str(parsed.dev))
    return key + _local(parsed.local or "")


def _local(text: str) -> bytes:
    key = bytearray()
    for part in re.split(r"[._-]", text) if text else ():
        key += b"\x03" + number(part) if part.isdigit() else b"\x02" + part.encode() + b"\x00"
    return bytes(key) + b"\x01"


def semver(version: str) -> bytes | None:
    """SemVer 2.0 as npm, crates and Go use it, `go1.22rc1` too: missing numbers are 0, build metadata does not count."""
    release = _GO_RELEASE.fullmatch(version)
    match = release or _SEMVER.fullmatch(version)
    if match is None:
        return None
    if release is not None:
        pre = f"{release['stage']}.{release['stage_number']}" if release["stage"] else ""
    else:
        pre = match["pre"] or ""
    numbers = match["numbers"].split(".")
    while len(numbers) < 3:
        numbers.append("0")
    while len(numbers) > 3 and not numbers[-1].strip("0"):
        numbers.pop()
    key = b"".join(b"\x02" + number(part) for part in numbers) + b"\x01"
    return key + (_prerelease(pre) if pre else b"\xff")


def _prerelease(text: str) -> bytes:
    key = bytearray()
    for part in text.split("."):
        key += b"\x02" + number(part) if part.isdigit() else b"\x03" + part.encode() + b"\x00"
    return bytes(key) + b"\x01"


def maven(version: str) -> bytes | None:
    """Maven's ComparableVersion: known qualifiers before the release, `sp` and unknown ones after it, then numbers.

    Each token is a class byte and its value; the end stands between `snapshot` and `sp`. Nothings (0, `final`) before a
    qualifier, a hyphen or the end are dropped first, as Maven drops them.
    """
    if not version or version.isspace():
        return None
    tokens = _maven_trimmed(_maven_tokens(version.lower()))
    return b"".join(_maven_token(hyphen, text) for hyphen, text in tokens) + b"\x06"


def _maven_tokens(version: str) -> list[tuple[bool, str]]:
    """(whether a hyphen or a change of kind stands before it, the text); an empty text is a nothing."""
    tokens: list[tuple[bool, str]] = []
    previous = ""
    found = list(_MAVEN_TOKENS.finditer(version))
    for place, match in enumerate(found):
        separator, text = match[1], match[2]
        followed = place + 1 < len(found) and not found[place + 1][1] and found[place + 1][2].isdigit()
        if followed and not text.isdigit():
            text = _MAVEN_SHORT.get(text, text)
        changed = not separator and bool(previous) and previous.isdigit() != text.isdigit()
        nothing = text in _MAVEN_NOTHING or (text.isdigit() and not text.strip("0"))
        tokens.append((separator == "-" or changed, "" if nothing else text))
        previous = match[2]
    return tokens


def _maven_trimmed(tokens: list[tuple[bool, str]]) -> list[tuple[bool, str]]:
    kept: list[tuple[bool, str]] = []
    for hyphen, text in tokens:
        if hyphen or (text and not text.isdigit()):
            while kept and not kept[-1][1]:
                kept.pop()
        kept.append((hyphen, text))
    while kept and not kept[-1][1]:
        kept.pop()
    return kept


def _maven_token(hyphen: bool, text: str) -> bytes:
    if not text or text.isdigit():
        return bytes((0x09 if hyphen else 0x0A,)) + number(text)
    if text in _MAVEN_BEFORE:
        return bytes((_MAVEN_BEFORE[text],))
    return b"\x07" if text == "sp" else b"\x08" + text.encode() + b"\x00"


def gem(version: str) -> bytes | None:
    """Gem::Version: texts make a pre-release and stand below every number; zeros at the ends do not count.

    What is missing counts as 0, so zeros before a text stand between a text and the end.
    """
    if _GEM.fullmatch(version.strip()) is None:
        return None
    parts = re.findall(r"[0-9]+|[a-z]+", version.strip().replace("-", ".pre."), re.IGNORECASE)
    first = next((place for place, part in enumerate(parts) if part.isalpha()), len(parts))
    kept = _without_zeros(parts[:first]) + _without_zeros(parts[first:])
    return b"".join(_gem_part(part, kept[place + 1 :]) for place, part in enumerate(kept)) + b"\x03"


def _without_zeros(parts: list[str]) -> list[str]:
    kept = list(parts)
    while kept and not kept[-1].strip("0"):
        kept.pop()
    return kept


def _gem_part(part: str, rest: list[str]) -> bytes:
    if part.isalpha():
        return b"\x01" + part.encode() + b"\x00"
    following = next((item for item in rest if item.strip("0")), "")
    return b"\x02" if not part.strip("0") and following.isalpha() else b"\x04" + number(part)
