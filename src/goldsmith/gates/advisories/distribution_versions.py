"""Sort keys of the versions of distribution packages: dpkg, rpm, apk. None stands for what is no version."""

from __future__ import annotations

import re

from goldsmith.gates.advisories.numbers import number

_DPKG = re.compile(r"(?:(?P<epoch>\d{1,9}):)?(?P<upstream>[0-9][A-Za-z0-9.+~-]*?)(?:-(?P<revision>[A-Za-z0-9.+~]*))?", re.ASCII)
_RUNS = re.compile(r"([^0-9]*)([0-9]*)")
_TILDE, _END, _OTHER = 0x01, 0x02, 0x80

_RPM = re.compile(r"(?:(?P<epoch>\d{1,9}|\(none\)):)?(?P<version>[^\s:-]+)(?:-(?P<release>[^\s:-]+))?", re.ASCII)
_RPM_TOKENS = re.compile(r"(?P<tilde>~)|(?P<caret>\^)|(?P<letters>[A-Za-z]+)|(?P<digits>[0-9]+)")

_APK = re.compile(
    r"(?P<first>\d+)(?P<more>(?:\.\d+)*)(?P<letter>[a-z]?)"
    r"(?P<suffixes>(?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)\d*)*)"
    r"(?:~(?P<hash>[0-9a-f]+))?(?:-r(?P<release>\d+))?",
    re.ASCII,
)
_APK_SUFFIX = re.compile(r"_([a-z]+)(\d*)")
_APK_BEFORE, _APK_AFTER = ("alpha", "beta", "pre", "rc"), ("cvs", "svn", "git", "hg", "p")


def dpkg(version: str) -> bytes | None:
    """deb-version(7): `~` before the end, letters before everything else; no revision is revision 0."""
    match = _DPKG.fullmatch(version)
    if match is None:
        return None
    return number(match["epoch"] or "0") + _dpkg_part(match["upstream"]) + _dpkg_part(match["revision"] or "0")


def _dpkg_part(text: str) -> bytes:
    key = bytearray()
    for other, digits in _RUNS.findall(text):
        if not other and not digits:
            continue
        key += bytes(_dpkg_rank(char) for char in other)
        key.append(_END)
        key += number(digits or "0")
    return bytes(key) + bytes((_END, 0x00))


def _dpkg_rank(char: str) -> int:
    if char == "~":
        return _TILDE
    return ord(char) if char.isalpha() else ord(char) + _OTHER


def rpm(version: str) -> bytes | None:
    """rpmvercmp(): `~` < end < `^` < letters < digits; other characters only separate."""
    match = _RPM.fullmatch(version)
    if match is None:
        return None
    epoch = match["epoch"] if match["epoch"] not in (None, "(none)") else "0"
    return number(epoch) + _rpm_part(match["version"]) + _rpm_part(match["release"] or "")


def _rpm_part(text: str) -> bytes:
    key = bytearray()
    for token in _RPM_TOKENS.finditer(text):
        if token["tilde"]:
            key.append(0x01)
        elif token["caret"]:
            key.append(0x03)
        elif token["letters"]:
            key += b"\x04" + token["letters"].encode() + b"\x00"
        else:
            key += b"\x05" + number(token["digits"])
    return bytes(key) + b"\x02"


def apk(version: str) -> bytes | None:
    """apk-tools: `_rc` and the like < end < revision < hash < suffix's number < suffix after < letter < next number."""
    match = _APK.fullmatch(version)
    if match is None:
        return None
    key = bytearray(number(match["first"]))
    for digits in match["more"].split(".")[1:]:
        key += b"\x08" + _apk_number(digits)
    if match["letter"]:
        key += b"\x07" + match["letter"].encode()
    for name, digits in _APK_SUFFIX.findall(match["suffixes"]):
        before = name in _APK_BEFORE
        key += bytes((0x01, _APK_BEFORE.index(name)) if before else (0x06, _APK_AFTER.index(name)))
        if digits:
            key += b"\x05" + number(digits)
    if match["hash"]:
        key += b"\x04" + match["hash"].encode() + b"\x00"
    if match["release"]:
        key += b"\x03" + number(match["release"])
    return bytes(key) + b"\x02"


def _apk_number(digits: str) -> bytes:
    """A number after a dot: with leading zeros it is compared as text, so below each without."""
    rest = digits.lstrip("0")
    zeros = len(digits) - len(rest)
    if zeros:
        return bytes((max(0x7F - zeros, 0),)) + rest.encode()
    return bytes((min(0x80 + len(digits), 0xFF),)) + digits.encode()
