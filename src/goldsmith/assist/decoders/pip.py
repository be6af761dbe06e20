"""Python packages: what `pip freeze` tells of each directory of packages; their code is compared by bytes as all else."""

from __future__ import annotations

from goldsmith.assist.decoders.contract import Decoder, Facts
from goldsmith.assist.stacked import StackedTree

_RECORDS = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")


def _read(tree: StackedTree) -> Facts:
    facts: dict[str, str] = {}
    for path in tree.matching(*(f"**/*.dist-info/{name}" for name in (*_RECORDS, "METADATA"))):
        directory, _, package = path.rpartition("/")[0].rpartition("/")
        name, _, version = package.removesuffix(".dist-info").partition("-")
        facts[f"{name.lower().replace('_', '-')} in /{directory}"] = version
    return facts


DECODER = Decoder("python packages", tuple(f"**/*.dist-info/{name}" for name in _RECORDS), _read)
