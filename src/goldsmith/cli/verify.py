"""`goldsmith verify`: an image file against its signed evidence, without network or registry."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click


@click.command("verify")
@click.option("-evidence", "evidence", type=click.Path(path_type=Path), help="The evidence file; default: beside the image.")
@click.option("-key", "key", type=click.Path(path_type=Path), help="The public key; default: that of the project here.")
@click.argument("image", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def command(image: Path, evidence: Path | None, key: Path | None) -> int:
    """Check that IMAGE is, byte for byte, what its evidence is about, and show what was proven of it.

    \b
    Exit code: 0 the image is the proven one and every gate passed, 1 it is not, 2 a gate failed, 3 a gate could not tell,
    or no gate has examined the image.
    """
    from goldsmith.cli.rendering.lines import short
    from goldsmith.evidence import load_public_key, read_bundles, verify_file
    from goldsmith.images import disk_digest_of, file_digest
    from goldsmith.project import gate_verdicts, public_key_here

    keys = [load_public_key(key or public_key_here())]
    bundles = read_bundles(evidence or image.with_suffix(".evidence.jsonl"))
    format = "raw" if image.suffix in (".raw", ".img") else "qcow2"
    with tempfile.TemporaryDirectory(prefix="goldsmith-verify-") as work:
        verified = verify_file(
            file_digest(image).removeprefix("sha256:"), lambda: disk_digest_of(image, format, Path(work)), bundles, keys
        )
    how = "is another encoding of the proven disk" if verified.by_disk else "is the proven file"
    click.echo(f"{image} {how}")
    click.echo(f"  disk      {verified.disk_digest}")
    click.echo(f"  signed by {', '.join(sorted({item.signer for item in verified.statements}))}")
    for item in verified.statements:
        click.echo(f"  statement {short(item.digest)}  {item.statement.predicate_type}")
    verdicts = gate_verdicts(verified.statements)
    for gate, verdict in verdicts.items():
        click.echo(f"  gate      {gate:<10} {verdict.upper()}")
    if not verdicts:
        click.echo("  gate      none has examined it")
        return 3
    return 3 if "error" in verdicts.values() else 2 if "fail" in verdicts.values() else 0
