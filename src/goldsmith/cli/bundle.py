"""`goldsmith bundle`: one file with all that proves a channel's version, for places without network or registry."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("bundle")
@click.option("-o", "output", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The file to write.")
@click.argument("reference", metavar="REF")
def command(reference: str, output: Path) -> int:
    """Write the offline bundle of REF: web@prod, or a version that exactly one channel holds

    \b
    It holds the version's document, the evidence that its promotion counted, the signed decision, where the channel points,
    the revocations that are known, a checkpoint of the log with the proof that the promotion is in it, and the keys.
    It is good for seven days: a newer one has to tell then that nothing was revoked or moved meanwhile.
    Exit code: 0 written, 1 it could not be, 2 the channel is empty or its version is unfit.
    """
    from goldsmith.cli.references import open_here
    from goldsmith.cli.show import moment
    from goldsmith.images.whole import write_whole
    from goldsmith.project import offline_bundle

    project, registry = open_here()
    release, content = offline_bundle(project, registry, reference)
    write_whole(output, content)
    until = int(str(release.pointer.predicate["expires_at"]))
    click.echo(f"{output} proves {release.image}@{release.channel} is {release.version.ref}, until {moment(until)}")
    click.echo(
        f"Check it anywhere: goldsmith verify -bundle {output} -key {project.signing.key.removesuffix('.key')}.pub -image DISK"
    )
    return 0
