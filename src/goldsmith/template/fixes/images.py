"""Fixers of what images are made from and how they are named."""

from __future__ import annotations

import re

from goldsmith.template.fixes.document import Document, Settings


def iso_md5(document: Document) -> None:
    """`iso_md5` is a kind of `iso_checksum`."""
    for builder in document.builders():
        if isinstance(builder.get("iso_md5"), str):
            builder["iso_checksum"] = builder.pop("iso_md5")
            builder["iso_checksum_type"] = "md5"


def iso_checksum(document: Document) -> None:
    """`iso_checksum` holds its type, or the place of a file of checksums."""
    for builder in document.builders():
        place, type, checksum = (_text(builder, name) for name in ("iso_checksum_url", "iso_checksum_type", "iso_checksum"))
        builder.pop("iso_checksum_url", None)
        builder.pop("iso_checksum_type", None)
        if place:
            builder["iso_checksum"] = f"file:{place}"
        elif checksum:
            builder["iso_checksum"] = f"{type}:{checksum}" if type else checksum


def create_time(document: Document) -> None:
    """`{{.CreateTime}}` in names is `{{timestamp}}`."""
    for builder in document.builders():
        for name in ("ami_name", "bundle_prefix", "snapshot_name"):
            value = builder.get(name)
            if isinstance(value, str):
                builder[name] = re.sub(r"\{\{[ \t\n\f\r]*\.CreateTime[ \t\n\f\r]*\}\}", "{{timestamp}}", value)


def clean_name(document: Document) -> None:
    """The functions `clean_image_name` and `clean_ami_name` are `clean_resource_name`, also in objects."""
    for builder in document.builders():
        _clean(builder)
        for value in builder.values():
            if isinstance(value, dict):
                _clean(value)


def _clean(settings: Settings) -> None:
    for name, value in settings.items():
        if isinstance(value, str):
            settings[name] = re.sub("clean_(image|ami)_name", "clean_resource_name", value)


def _text(settings: Settings, name: str) -> str:
    value = settings.get(name)
    return value if isinstance(value, str) else ""
