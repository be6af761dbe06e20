"""Labels of versions: said with the registration, kept in the log, said anew when they change."""

from __future__ import annotations

from collections.abc import Mapping

from goldsmith.registry.canonical import JSON, parse
from goldsmith.registry.db import Database
from goldsmith.registry.entities import Labels, Version
from goldsmith.registry.transaction import Reader


def label(database: Database, version: Version, labels: Labels, actor: str) -> None:
    """Say what a version is called and labelled; saying the same again changes nothing."""
    with database.read() as reader:
        if labels_of(reader, version) == labels:
            return
    with database.write(actor) as tx:
        if labels_of(tx, version) != labels:
            tx.event("version.labelled", {"version": version.digest, "labels": _document(labels)})


def labels_of(reader: Reader, version: Version) -> Labels:
    """The labels that were said last; empty when none ever were."""
    # A digest is hexadecimal, so that LIKE needs no escapes; the index on the type keeps the search to these events.
    sql = "SELECT body FROM event WHERE type = 'version.labelled' AND body LIKE :named ORDER BY seq DESC LIMIT 1"
    row = reader.first(sql, named=f'%"version":"{version.digest}"%')
    data = parse(row.text("body")).get("data") if row else None
    labels = data.get("labels") if isinstance(data, Mapping) else None
    return _labels(labels) if isinstance(labels, Mapping) else Labels()


def _document(labels: Labels) -> Mapping[str, JSON]:
    # As pairs: names of labels are free text, names in canonical documents are not.
    return {
        "bucket": labels.bucket,
        "description": labels.description,
        "image": [[name, labels.image[name]] for name in sorted(labels.image)],
        "version": [[name, labels.version[name]] for name in sorted(labels.version)],
    }


def _labels(document: Mapping[str, JSON]) -> Labels:
    return Labels(
        bucket=str(document["bucket"]),
        description=str(document["description"]),
        image=_pairs(document["image"]),
        version=_pairs(document["version"]),
    )


def _pairs(value: JSON) -> Mapping[str, str]:
    assert isinstance(value, list)
    return {str(name): str(text) for name, text in value}
