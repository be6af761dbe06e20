"""The examination: the walk over the sealed tree, passwords, the raw disk, and what they amount to."""

from __future__ import annotations

from importlib.metadata import version as installed_version

from goldsmith.events import Emit, Progress
from goldsmith.gates.contract import DataUsed, Facts, Skipped, Subject
from goldsmith.gates.secrets.known import SHORTEST_FORM, SHORTEST_VALUE, KnownSearch, forms, searchable
from goldsmith.gates.secrets.packaged import packaged_files
from goldsmith.gates.secrets.passwords import tried
from goldsmith.gates.secrets.quiet import quiet_files
from goldsmith.gates.secrets.raw import as_raw, search_disk
from goldsmith.gates.secrets.rules import RuleSet
from goldsmith.gates.secrets.walk import Scan, Stages, scan_tree
from goldsmith.images.tree import shown
from goldsmith.machines.cancellation import Cancellation

RESCAN = "known secrets: the build is over and they are gone; its own evidence stands"
NOT_BOOTED = "raw disk: no machine ran from it, and a file system that is written from a tree has no deleted files"


def examine_tree(subject: Subject, rules: RuleSet, assignments: bool, emit: Emit, cancellation: Cancellation) -> Facts:
    """Read every file of the tree and hold it against all stages; `assignments` also warns of text such as `password = …`."""
    secrets = () if subject.is_rescan else subject.known_secrets
    wanted = forms(searchable(secrets))
    stages = Stages(
        packaged=packaged_files(subject),
        everywhere=KnownSearch([form for form in wanted if len(form.data) >= SHORTEST_FORM]),
        unpackaged=KnownSearch(wanted),
        rules=rules,
        assignments=assignments,
        work=subject.work,
        salt=subject.salt,
    )

    def told(files: int) -> None:
        if files % 500 == 0:
            cancellation.check()
            emit(Progress(build=subject.image, what="files examined for secrets", done=files, unit="files"))

    quiet = quiet_files(subject, stages.rules.digest, assignments)
    scan = scan_tree(subject.tree, stages, quiet, told)
    quiet.save()
    untried = _passwords(subject, scan)
    for secret in secrets:
        if 0 < len(secret.value) < SHORTEST_VALUE:
            scan.findings.too_short(secret.name, SHORTEST_VALUE)
    if subject.booted_build:
        _search_disk(subject, stages.everywhere, scan, cancellation)
    return _facts(subject, scan, stages, len(wanted), untried)


def _passwords(subject: Subject, scan: Scan) -> list[str]:
    """Tries each secret of the build on each account. Returns the accounts whose kind of hash is not known here."""
    untried: set[str] = set()
    secrets = {} if subject.is_rescan else {secret.value: secret.name for secret in subject.known_secrets if secret.value}
    for name in ("etc/shadow", "etc/shadow-"):
        shadow = subject.tree / name
        if shadow.is_symlink() or not shadow.is_file():
            continue
        for line in shadow.read_text(errors="replace").splitlines():
            account, _, rest = line.partition(":")
            # A locked password keeps its hash, from which it can be guessed at leisure.
            stored = rest.partition(":")[0].lstrip("!")
            if not stored or stored.startswith("*"):
                continue
            for value, secret in secrets.items():
                outcome = tried(value, stored)
                if outcome == "fits":
                    scan.findings.known_password(f"/{name}", account, secret, value)
                elif outcome == "unknown kind":
                    untried.add(account)
    return sorted(untried)


def _search_disk(subject: Subject, search: KnownSearch, scan: Scan, cancellation: Cancellation) -> None:
    if subject.disk is None:
        scan.faults.append("the disk of a build that booted is not here")
        return
    for form, offset in search_disk(as_raw(subject.disk, subject.disk_format, subject.work), search, cancellation):
        scan.findings.on_disk(form, offset)


def _facts(subject: Subject, scan: Scan, stages: Stages, known_forms: int, untried: list[str]) -> Facts:
    skipped = (
        Skipped(reason="unchanged files of packages: no rules, known secrets only", count=scan.packaged),
        Skipped(reason="compiled Python whose source is examined: known secrets only", count=scan.compiled),
        Skipped(reason="devices, sockets and pipes", count=scan.special),
        Skipped(reason="too large to read or to unpack", count=len(scan.too_large), sample=_sample(sorted(scan.too_large))),
        Skipped(reason="accounts whose kind of hash libcrypt does not know", count=len(untried), sample=_sample(untried)),
        Skipped(reason=RESCAN, count=int(subject.is_rescan)),
        Skipped(reason=NOT_BOOTED, count=int(not subject.booted_build)),
    )
    doubts = []
    if subject.sensitive and not subject.known_secrets and not subject.is_rescan:
        doubts.append(f"the template has sensitive values ({', '.join(subject.sensitive)}), and none was handed to the gate")
    unknown = stages.packaged.unknown
    return Facts(
        engine="goldsmith-secrets",
        engine_version=installed_version("goldsmith"),
        examined=scan.files + len(scan.faults),
        evaluated=scan.files - len(scan.too_large),
        errors=len(scan.faults),
        skipped=tuple(item for item in skipped if item.count),
        data=(DataUsed(name="the rules for tokens", digest=stages.rules.digest, published=0, age_s=0),),
        findings=scan.findings.found(),
        messages=(
            *sorted(scan.faults),
            f"{known_forms} forms of known secrets were searched for",
            f"{len(stages.packaged.sums)} sums of packaged files were known, from {stages.packaged.origin}",
            *([f"{scan.known} files of layers are known: the same rules found nothing in them before"] if scan.known else []),
            *([f"of {len(unknown)} packages nothing is known: {', '.join(unknown[:10])}"] if unknown else []),
        ),
        measures={
            "size_bytes": scan.size_bytes,
            "rules": len(stages.rules.rules),
            "contents_unpacked": scan.unpacked,
            "packaged_files_modified": scan.modified,
        },
        doubts=tuple(doubts),
    )


def _sample(names: list[str]) -> tuple[str, ...]:
    return tuple(shown(name) for name in names[:10])
