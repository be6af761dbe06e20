"""`goldsmith verify`: an image file against its signed evidence or an offline bundle, without network or registry."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from securesystemslib.signer import Key

    from goldsmith.evidence import SignedStatement

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("verify")
@click.option("-evidence", "evidence", type=click.Path(path_type=Path), help="The evidence file; default: beside the image.")
@click.option("-bundle", "bundle", type=FILE, help="An offline bundle, as goldsmith bundle writes it, in place of evidence.")
@click.option("-image", "disk", type=FILE, help="With -bundle: the image file, in place of IMAGE.")
@click.option("-channel", "channel", default="", metavar="IMAGE@CHANNEL", help="With -bundle: what it must be the bundle of.")
@click.option("-seen", "seen", type=click.Path(path_type=Path), help="With -bundle: where the newest that was seen is kept.")
@click.option("-key", "key", type=click.Path(path_type=Path), help="The public key; default: that of the project here.")
@click.argument("image", type=FILE, required=False)
def command(
    image: Path | None,
    evidence: Path | None,
    bundle: Path | None,
    disk: Path | None,
    channel: str,
    seen: Path | None,
    key: Path | None,
) -> int:
    """Check that IMAGE is, byte for byte, what its evidence is about, and show what was proven of it.

    \b
    With -bundle everything is in one file, and where a channel points is proven too: a bundle that is changed, expired, older
    than one that was seen before, put together of several, or of another channel is refused. IMAGE may be left out then.
    Exit code: 0 the image is the proven one and every gate passed, 1 it is not, or the bundle is not to be trusted,
    2 a gate failed, or the channel was moved by breaking glass, 3 a gate could not tell, or no gate has examined the image.
    """
    from goldsmith.evidence import load_public_key
    from goldsmith.project import public_key_here

    file = image or disk
    if bundle is None and file is None:
        raise click.UsageError("IMAGE is needed, or -bundle FILE")
    keys = [load_public_key(key or public_key_here())]
    if bundle is not None:
        return _verify_bundle(bundle, file, keys, channel, seen)
    assert file is not None
    return _verify_evidence(file, evidence, keys)


def _verify_evidence(image: Path, evidence: Path | None, keys: Sequence[Key]) -> int:
    from goldsmith.evidence import read_bundles, verify_file
    from goldsmith.images import file_digest

    bundles = read_bundles(evidence or image.with_suffix(".evidence.jsonl"))
    verified = verify_file(file_digest(image).removeprefix("sha256:"), lambda: _disk_digest(image), bundles, keys)
    click.echo(f"{image} {'is another encoding of the proven disk' if verified.by_disk else 'is the proven file'}")
    click.echo(f"  disk      {verified.disk_digest}")
    click.echo(f"  signed by {', '.join(sorted({item.signer for item in verified.statements}))}")
    verdicts = _told(verified.statements)
    if not verdicts:
        click.echo("  gate      none has examined it")
        return 3
    return 3 if "error" in verdicts else 2 if "fail" in verdicts else 0


def _verify_bundle(bundle: Path, image: Path | None, keys: Sequence[Key], channel: str, seen: Path | None) -> int:
    from goldsmith.cli.show import moment
    from goldsmith.evidence import check_disk, verify_offline
    from goldsmith.images import file_digest
    from goldsmith.project import state_directory

    memory = seen or state_directory() / "seen.json"
    proven = verify_offline(bundle.read_bytes(), keys, time.time_ns() // 1000, memory, channel)
    if image is not None:
        check_disk(proven, file_digest(image), lambda: _disk_digest(image))
        click.echo(f"{image} is {proven.image}:{proven.number}")
    click.echo(f"{proven.place} is {proven.image}:{proven.number} (generation {proven.generation})")
    click.echo(f"  version   {proven.version}")
    click.echo(f"  proven    {moment(proven.issued_at)}, good until {moment(proven.expires_at)}")
    click.echo(f"  log       {proven.seq} events, root {proven.root}")
    click.echo(f"  signed by {proven.signer}")
    _told(proven.statements)
    if proven.result != "PASSED":
        click.echo("  GLASS BROKEN: the channel was moved without meeting its policy")
        return 2
    return 0


def _told(statements: Sequence[SignedStatement]) -> Collection[str]:
    """Print what statements say; gives the verdicts of gates."""
    from goldsmith.cli.rendering.lines import short
    from goldsmith.project import gate_verdicts

    for item in statements:
        click.echo(f"  statement {short(item.digest)}  {item.statement.predicate_type}")
    verdicts = gate_verdicts(statements)
    for gate, verdict in verdicts.items():
        click.echo(f"  gate      {gate:<10} {verdict.upper()}")
    return verdicts.values()


def _disk_digest(image: Path) -> str:
    from goldsmith.images import disk_digest_of

    format = "raw" if image.suffix in (".raw", ".img") else "qcow2"
    with tempfile.TemporaryDirectory(prefix="goldsmith-verify-") as work:
        return disk_digest_of(image, format, Path(work))
