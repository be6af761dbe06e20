"""Reads the documents that inventories come in: local files, from a web server, from a bucket."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from glob import glob
from pathlib import Path
from typing import Protocol, cast

from goldsmith.aws import Answer, AwsAccess, aws_errors, client
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError

LARGEST = 256 << 20
"""Bytes of the largest document that is read."""
_SILENCE_S = 60.0
WEB = ("http://", "https://")
BUCKET = "s3://"


class Buckets(Protocol):
    """S3, as far as we use it."""

    def get_object(self, *, Bucket: str, Key: str) -> Answer:
        """One object."""


class Body(Protocol):
    """The content of an object, as boto3 gives it."""

    def read(self, amount: int, /) -> bytes:
        """At most so many bytes."""


def read_document(where: str, access: AwsAccess) -> bytes:
    """The content of a path, `http(s)://…` or `s3://BUCKET/KEY`. Raises `UserError` or `MachineError` when it cannot be had."""
    if where.startswith(WEB):
        content = _from_web(where)
    elif where.startswith(BUCKET):
        content = _from_bucket(where, access)
    else:
        content = _from_file(where)
    if len(content) > LARGEST:
        raise UserError(_fault(where, f"it has more than {LARGEST >> 20} MiB"))
    return content


def public(where: str) -> str:
    """A path, or an address without what may be secret in it."""
    if "://" not in where:
        return where
    scheme, _, rest = where.partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{path.partition('?')[0]}"


def expanded(patterns: tuple[str, ...], root: Path) -> Iterator[str]:
    """The documents of names, addresses and patterns of files below a directory. Raises `UserError` for one without any."""
    for pattern in patterns:
        if pattern.startswith((*WEB, BUCKET)):
            yield pattern
            continue
        found = sorted(glob(str(root / pattern), recursive=True))  # noqa: PTH207  # patterns may be absolute
        if not found:
            what = f'no file is named "{pattern}"'
            raise UserError(Diagnostic(code="inventory.no-file", what=what, next=f'It is looked up from "{root}".'))
        yield from found


def _from_file(where: str) -> bytes:
    try:
        # Neither a pipe nor a device that a link leads to may be waited for.
        handle = os.open(where, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise UserError(_fault(where, error.strerror or str(error))) from error


def _from_web(where: str) -> bytes:
    from httpx2 import Client, HTTPError, InvalidURL, Timeout

    content = bytearray()
    try:
        with (
            Client(verify=ssl.create_default_context(), timeout=Timeout(_SILENCE_S)) as web,
            web.stream("GET", where) as response,
        ):
            if response.status_code != 200:
                raise UserError(_fault(where, f"the server answers {response.status_code}"))
            for part in response.iter_bytes():
                content += part
                if len(content) > LARGEST:
                    break
            _check_length(where, response.headers.get("Content-Length"), len(content), response.num_bytes_downloaded)
    except (HTTPError, InvalidURL, ssl.SSLError, UnicodeError) as error:
        raise MachineError(_fault(where, type(error).__name__)) from error
    return bytes(content)


def _check_length(where: str, announced: str | None, size: int, downloaded: int) -> None:
    """An answer may end early without an error where the connection is closed."""
    if announced is not None and announced.isdigit() and downloaded < int(announced) and size <= LARGEST:
        raise MachineError(_fault(where, f"{downloaded} of {announced} bytes came"))


def _from_bucket(where: str, access: AwsAccess) -> bytes:
    bucket, _, key = where.removeprefix(BUCKET).partition("/")
    s3 = cast("Buckets", client("s3", access))
    with aws_errors(f"reading {where}", access):
        return cast("Body", s3.get_object(Bucket=bucket, Key=key)["Body"]).read(LARGEST + 1)


def _fault(where: str, why: str) -> Diagnostic:
    return Diagnostic(code="inventory.unreadable", what=f'"{public(where)}" could not be read', why=why)
