"""Which kind of blob store a URL names."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from goldsmith.extras import need
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.registry.blobs import BlobStore
from goldsmith.registry.local_store import LocalStore

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig
    from obstore.store import ObjectStore as Client

FILE = "file://"
OBJECT_STORES = ("s3://", "gs://", "az://")
PLAIN_HTTP = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT", "AZURE_STORAGE_ENDPOINT", "GOOGLE_BASE_URL")
"""Variables that name another end point; who writes http:// there wants no encryption."""

PATIENT = (timedelta(seconds=5), timedelta(seconds=120), 3)
"""Time to connect, time for one request (4 MiB), and how often it is repeated."""
HASTY = (timedelta(seconds=2), timedelta(seconds=5), 0)


def open_store(url: str, base: Path = Path()) -> BlobStore:
    """The store at `file://PATH` (relative to `base`), `s3://BUCKET/PREFIX`, `gs://…` or `az://…`; nothing is written yet.

    Credentials, region and end point of an object store come from the environment, by the names of its own tools.
    Raises `UserError` for anything else, and without the extra [objectstore].
    """
    check_store_url(url)
    if url.startswith(FILE):
        return LocalStore(base / url.removeprefix(FILE))
    need("obstore", extra="objectstore")
    from goldsmith.registry.object_store import ObjectStore

    return ObjectStore(url.rstrip("/"), _client(url, *PATIENT), _client(url, *HASTY))


def check_store_url(url: str) -> None:
    """Raises `UserError` for a URL that names no store, or holds a password."""
    parts = urlsplit(url)
    if url.startswith(FILE) and url != FILE:
        return
    if not url.startswith(OBJECT_STORES) or not parts.netloc or "@" in parts.netloc or parts.query:
        raise UserError(
            Diagnostic(
                code="store.url",
                what=f'"{parts.scheme or url[:40]}" names no store'
                if not url.startswith(OBJECT_STORES)
                else f'the URL of the store "{parts.scheme}://{parts.hostname or ""}" cannot be used',
                why="a store is a directory or an object store; credentials belong in the environment, never in the URL",
                next='Write "file://PATH", "s3://BUCKET/PREFIX", "gs://BUCKET/PREFIX" or "az://CONTAINER/PREFIX".',
            )
        )


def _client(url: str, connect: timedelta, request: timedelta, retries: int) -> Client:
    from obstore.store import S3Store, from_url

    plain = any(os.environ.get(name, "").startswith("http://") for name in PLAIN_HTTP)
    options: ClientConfig = {"connect_timeout": connect, "timeout": request, "allow_http": plain}
    retry: RetryConfig = {"max_retries": retries, "retry_timeout": request}
    try:
        if url.startswith("s3://"):
            return S3Store.from_url(url, client_options=options, retry_config=retry, checksum_algorithm="SHA256")
        return from_url(url, client_options=options, retry_config=retry)
    except Exception as error:  # the client's own kinds, which differ between stores
        raise UserError(
            Diagnostic(
                code="store.url",
                what=f'the store "{url}" cannot be used',
                why=str(error).splitlines()[0][:200],
                next="Check the URL, and the variables of the environment that describe the access to it.",
            )
        ) from error
