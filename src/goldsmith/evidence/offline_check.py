"""What an offline bundle proves, and every way in which its parts may fail to belong together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from goldsmith.evidence.bundle import SignedStatement, open_bundle
from goldsmith.evidence.keys import public_key_of
from goldsmith.evidence.log_proof import event_hash, is_included
from goldsmith.evidence.moments import moment
from goldsmith.evidence.offline import broken, read_parts
from goldsmith.evidence.statement import APPROVAL, CHECKPOINT, POINTER, PROVENANCE, VERIFICATION_SUMMARY, WAIVER, Statement
from goldsmith.hcl.diagnostics import Diagnostic, UserError

if TYPE_CHECKING:
    from securesystemslib.signer import Key

SIGNED = {"approval": APPROVAL, "waiver": WAIVER, "provenance": PROVENANCE}
"""Parts that are statements of one type."""
COUNTED = {"evidence": "statements", "waiver": "waivers", "approval": "approvals"}
"""Parts that a decision counted, and where it names them."""
FILES = "application/vnd.goldsmith."
"""What the media types of disk files begin with."""
MOST_AHEAD_US = 5 * 60 * 1_000_000
"""How far the registry's clock may be ahead of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """What a bundle proves. Times are microseconds since 1970."""

    image: str
    channel: str
    generation: int
    version: str
    """`sha256:<hex>` of the version document."""
    number: int
    seq: int
    """How many events the registry's log had when the bundle was made."""
    root: str
    """Of the log at that time."""
    issued_at: int
    expires_at: int
    result: str
    """Of the verification summary: PASSED, or FAILED when the channel was moved by breaking glass."""
    disks: Mapping[str, str]
    """Disk digests by architecture."""
    files: frozenset[str]
    """Plain SHA-256 of the files that hold the disks, `sha256:<hex>`."""
    statements: tuple[SignedStatement, ...]
    """The evidence, waivers and approvals that the promotion counted, and the provenance."""
    signer: str
    """The key that the bundle as a whole is signed with."""

    @property
    def place(self) -> str:
        """The channel as references name it: `web@prod`."""
        return f"{self.image}@{self.channel}"


def check_offline(content: bytes, keys: Sequence[Key], now: int, place: str = "") -> Proven:
    """What a bundle proves at a time, in microseconds since 1970, to somebody who trusts `keys`; `place` is the channel
    that is expected, as `web@prod`, or empty for any.

    Raises `UserError` with code `bundle.broken`, `bundle.mixed` (parts of different promotions), `bundle.other-place`,
    `bundle.expired`, `bundle.not-yet`, `bundle.revoked`, or one of `open_bundle`.
    """
    contents, parts = read_parts(content, keys)
    try:
        bundle = _Bundle(contents, parts, keys)
        pointer = bundle.pointer()
        if place and place != pointer.place:
            raise _other_place(place, pointer.place)
        _check_time(pointer, now)
        bundle.check_decision(pointer)
        bundle.check_log(pointer)
        bundle.check_revocations(pointer, now)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise broken(f"a part has another shape than it should: {error}") from error
    return pointer


def check_disk(proven: Proven, file_digest: str, disk_digest: Callable[[], str]) -> None:
    """Raises `UserError` with code `bundle.other-image` unless a file, or the disk in it, is of the proven version.

    `file_digest` is its plain SHA-256, `disk_digest` computes the identity of the disk; it is called only when needed.
    """
    if file_digest not in proven.files and disk_digest() not in proven.disks.values():
        what = f"the image is not {proven.image}:{proven.number}"
        why = f"neither its digest {file_digest[:19]}… nor the disk in it is one of that version's"
        next = "The file was changed or is of another version. Do not use it; fetch it again."
        raise UserError(Diagnostic(code="bundle.other-image", what=what, why=why, next=next))


class _Bundle:
    """The parts of one bundle, each opened with the keys that may speak for it."""

    def __init__(self, contents: SignedStatement, parts: Mapping[str, tuple[bytes, ...]], keys: Sequence[Key]) -> None:
        self.contents = contents
        self.parts = parts
        self.registry = [key for key in keys if key.keyid == contents.signer]
        self.known = _keys(parts["trust"][0])
        if contents.signer not in {key.keyid for key in self.known}:
            raise _mixed("its trust root does not name the key that it is signed with")
        self.signed = {name: self._signed(name) for name in ("evidence", "provenance", "waiver", "approval")}
        self.document = _object(parts["version"][0])
        self.summary = self.of_registry("summary", VERIFICATION_SUMMARY)

    def of_registry(self, name: str, predicate_type: str) -> SignedStatement:
        """A statement that only the registry's own key may sign."""
        return _typed(open_bundle(self.parts[name][0], self.registry), name, predicate_type)

    def pointer(self) -> Proven:
        """The channel pointer, and what the parts say of the version that it names."""
        claim = self.of_registry("pointer", POINTER).statement
        said = claim.predicate
        digest = _digest_of(self.parts["version"][0])
        if {digest} != {said["version"], *_subjects(claim), *_subjects(self.contents.statement)}:
            raise _mixed("channel pointer and version document are of different versions")
        if self.document.get("image") != said["image"]:
            raise _mixed("the version document is of another image")
        return Proven(
            image=str(said["image"]),
            channel=str(said["channel"]),
            generation=_whole(said, "generation"),
            version=digest,
            number=_number(self.summary.statement),
            seq=_whole(said, "seq"),
            root=str(self.of_registry("checkpoint", CHECKPOINT).statement.predicate["root"]),
            issued_at=_whole(said, "issued_at"),
            expires_at=_whole(said, "expires_at"),
            result=str(self.summary.statement.predicate["verificationResult"]),
            disks=_named(self.document["disks"]),
            files=self.files(digest),
            statements=tuple(item for items in self.signed.values() for item in items),
            signer=self.contents.signer,
        )

    def files(self, version: str) -> frozenset[str]:
        """What the OCI manifest of a version names of Goldsmith's own kinds: disks, in each format."""
        manifest = _object(self.parts["manifest"][0])
        if _mapping(manifest["config"])["digest"] != version:
            raise _mixed("the manifest is of another version")
        layers = [item for item in _mappings(manifest["layers"]) if str(item["mediaType"]).startswith(FILES)]
        return frozenset(str(item["digest"]) for item in layers)

    def _signed(self, name: str) -> tuple[SignedStatement, ...]:
        """Statements that any key of the trust root may have signed."""
        opened = (open_bundle(part, self.known) for part in self.parts[name])
        return tuple(_typed(item, name, SIGNED[name]) if name in SIGNED else item for item in opened)

    def check_decision(self, pointer: Proven) -> None:
        """Summary, decision, policy, evidence and approvals are those of the move that the pointer is the end of."""
        summary, decision = self.summary.statement.predicate, _object(self.parts["decision"][0])
        told = _mapping(summary["goldsmith_decision"])
        policy = _digest_of(self.parts["policy"][0])
        # Older decisions name evidence alone.
        named = {name: sorted(_texts(decision.get(kind, []))) for name, kind in COUNTED.items()}
        inputs = sorted("sha256:" + str(_mapping(item["digest"])["sha256"]) for item in _mappings(summary["inputAttestations"]))
        agreements = {
            "the verification summary is of another version": pointer.version in _subjects(self.summary.statement),
            "the verification summary is of another decision": told["digest"] == _digest_of(self.parts["decision"][0]),
            "the verification summary is of another move": told["generation"] == pointer.generation,
            "the policy is not the one of the summary": policy
            == f"sha256:{_mapping(_mapping(summary['policy'])['digest'])['sha256']}",
            "the decision is about another channel": (decision["image"], decision["channel"])
            == (pointer.image, pointer.channel),
            "the decision is about another version": decision["version"] == pointer.version,
            "the decision is by another policy": decision["policy"] == policy,
            "the summary is by other statements than the decision": inputs
            == sorted(item for kind in named.values() for item in kind),
            **{
                f"the {name} is not what the decision counted": sorted(item.digest for item in self.signed[name]) == digests
                for name, digests in named.items()
            },
        }
        _demand(agreements)
        own = {pointer.version, *pointer.disks.values(), *pointer.files}
        # A waiver may be for more than one version.
        about = (item for name, items in self.signed.items() if name != "waiver" for item in items)
        foreign = [item.digest for item in about if not own & _subjects(item.statement)]
        if foreign:
            raise _mixed(f"the statement {foreign[0][:19]}… is about something else")

    def check_log(self, pointer: Proven) -> None:
        """The move is an event of the log that the checkpoint is of, and that log is as long as the pointer says."""
        checkpoint = self.of_registry("checkpoint", CHECKPOINT).statement.predicate
        event = _object(self.parts["event"][0])
        seq, body = _whole(event, "seq"), str(event["body"])
        hash = event_hash(str(event["previous"]), seq, _whole(event, "at"), body)
        path = [bytes.fromhex(item) for item in _texts(event["path"])]
        root = bytes.fromhex(pointer.root.removeprefix("sha256:"))
        decided = _mapping(self.summary.statement.predicate["goldsmith_decision"])
        _demand(
            {
                "checkpoint and channel pointer are of different times": checkpoint["size"] == pointer.seq,
                "the event is another than the one of the decision": decided["event"] == seq,
                "the event does not move the channel there": any(_is_move(move, pointer) for move in _moves(body)),
                "the event is not in the log": is_included(bytes.fromhex(hash), seq - 1, pointer.seq, path, root),
            }
        )

    def check_revocations(self, pointer: Proven, now: int) -> None:
        """Neither the version nor an ancestor was revoked, as far as was known then."""
        lineage = [pointer.version]
        parent = self.document["parent"]
        for part in self.parts["ancestor"]:
            if _digest_of(part) != parent:
                raise _mixed("an ancestor is not the parent of what was built on it")
            lineage.append(str(parent))
            parent = _object(part)["parent"]
        if parent is not None:
            raise _mixed("an ancestor of the version is missing")
        for item in _mappings(_object(self.parts["revocations"][0])["revocations"]):
            is_exempt = pointer.version in _list(item["exempt"])
            if item["version"] in lineage and not is_exempt and _whole(item, "effective_at") <= now:
                raise _revoked(pointer, str(item["reason"]))


def _check_time(pointer: Proven, now: int) -> None:
    if pointer.issued_at > now + MOST_AHEAD_US:
        what = f"the bundle is of {_told(pointer.issued_at)}, a time to come"
        why = f"the clock here says {_told(now)}"
        raise UserError(Diagnostic(code="bundle.not-yet", what=what, why=why, next="Set the clock of this host."))
    if pointer.expires_at <= now:
        what = f"the bundle has expired at {_told(pointer.expires_at)}"
        why = f"{pointer.place} may point elsewhere, and the version may be revoked by now"
        next = f"Have it made anew where the registry is: goldsmith bundle {pointer.place} -o FILE"
        raise UserError(Diagnostic(code="bundle.expired", what=what, why=why, next=next))


def _keys(trust: bytes) -> list[Key]:
    return [public_key_of(str(item["pem"]).encode()) for item in _mappings(_object(trust)["keys"])]


def _typed(opened: SignedStatement, name: str, predicate_type: str) -> SignedStatement:
    if opened.statement.predicate_type != predicate_type:
        raise _mixed(f'the part "{name}" is a statement of another type')
    return opened


def _moves(body: str) -> Iterator[Mapping[str, object]]:
    """What an event says of channels: one move, or the list of a revocation."""
    data = _mapping(_object(body.encode())["data"])
    yield data
    moved = data.get("moved")
    yield from _mappings(moved) if isinstance(moved, list) else ()


def _is_move(move: Mapping[str, object], pointer: Proven) -> bool:
    wanted = {
        "image": pointer.image,
        "channel": pointer.channel,
        "version": pointer.version,
        "generation": pointer.generation,
    }
    return all(move.get(name) == value for name, value in wanted.items())


def _number(summary: Statement) -> int:
    """The version's number, which its document does not hold: the summary's resource is `urn:goldsmith:image:web:41`."""
    number = str(summary.predicate["resourceUri"]).rpartition(":")[2]
    return int(number) if number.isascii() and number.isdigit() else 0


def _digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _subjects(statement: Statement) -> set[str]:
    return {f"sha256:{subject.sha256}" for subject in statement.subjects}


def _demand(agreements: Mapping[str, bool]) -> None:
    for why, holds in agreements.items():
        if not holds:
            raise _mixed(why)


def _object(content: bytes) -> Mapping[str, object]:
    return _mapping(json.loads(content))


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError("an object is missing")
    return value


def _mappings(value: object) -> list[Mapping[str, object]]:
    return [_mapping(item) for item in _list(value)]


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("a list is missing")
    return value


def _texts(value: object) -> list[str]:
    return [str(item) for item in _list(value)]


def _named(value: object) -> Mapping[str, str]:
    return {name: str(text) for name, text in _mapping(value).items()}


def _whole(document: Mapping[str, object], name: str) -> int:
    value = document[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f'"{name}" is no whole number')
    return value


def _told(microseconds: int) -> str:
    return moment(microseconds // 1_000_000)


def _mixed(why: str) -> UserError:
    what = "the parts of the bundle do not belong together"
    return UserError(Diagnostic(code="bundle.mixed", what=what, why=why, next="Do not use the image. Fetch the bundle again."))


def _other_place(wanted: str, found: str) -> UserError:
    what = f"the bundle is of {found}, not of {wanted}"
    next = f"Fetch that of {wanted}, or expect {found} with -channel."
    return UserError(Diagnostic(code="bundle.other-place", what=what, next=next))


def _revoked(pointer: Proven, reason: str) -> UserError:
    what = f"{pointer.image}:{pointer.number} is revoked"
    next = f"Fetch a newer bundle of {pointer.place}, and do not use this image."
    return UserError(Diagnostic(code="bundle.revoked", what=what, why=reason, next=next))
