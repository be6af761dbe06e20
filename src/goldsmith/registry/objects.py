"""The objects of an object store by their keys, with its errors in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from goldsmith.hcl.diagnostics import Diagnostic, MachineError

if TYPE_CHECKING:
    from obstore import ObjectMeta, UpdateVersion
    from obstore.store import ObjectStore as Client

PAGE = 1000
"""How many objects S3 lists, and deletes, by one request."""


class Objects:
    """What the store of blobs asks of an object store. Objects are made only where there is none, unless said otherwise."""

    def __init__(self, name: str, client: Client, hasty: Client) -> None:
        """`hasty` answers or fails within seconds: it is used while the registry's other writers may be waiting."""
        self.name = name
        self._client = client
        self._hasty = hasty

    def get(self, key: str) -> bytes | None:
        """The content of an object; None when there is none."""
        import obstore

        with told(self.name):
            try:
                return bytes(obstore.get(self._client, key).bytes())
            except FileNotFoundError:
                return None

    def head(self, key: str) -> ObjectMeta | None:
        """What is known of an object without its content; None when there is none."""
        import obstore

        with told(self.name):
            try:
                return obstore.head(self._hasty, key)
            except FileNotFoundError:
                return None

    def make(self, key: str, content: bytes) -> bool:
        """Make an object where there is none; False when there is one."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        with _bucket_told(self.name), told(self.name):
            try:
                obstore.put(self._client, key, content, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
        return True

    def overwrite(self, key: str, content: bytes) -> None:
        """Make an object, or give it another content."""
        import obstore

        with _bucket_told(self.name), told(self.name):
            obstore.put(self._client, key, content, use_multipart=False)

    def replace(self, key: str, was: bytes, content: bytes) -> bool:
        """Give an object another content if it still has the one that was read; False when somebody was quicker."""
        import obstore
        from obstore.exceptions import PreconditionError

        with told(self.name):
            try:
                found = obstore.get(self._client, key)
                if bytes(found.bytes()) != was:
                    return False
                seen: UpdateVersion = {"e_tag": found.meta["e_tag"]}
                if found.meta["version"] is not None:
                    seen["version"] = found.meta["version"]
                obstore.put(self._client, key, content, mode=seen)
            except (PreconditionError, FileNotFoundError):
                return False
        return True

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects, at most a page; those that are not there count as deleted."""
        import obstore

        with told(self.name):
            try:
                if keys:
                    obstore.delete(self._hasty, keys)
            except FileNotFoundError:  # some stores say so, and stop there
                for key in keys:
                    with suppress(FileNotFoundError):
                        obstore.delete(self._hasty, key)

    def below(self, prefix: str) -> Iterator[ObjectMeta]:
        """All objects below a prefix."""
        import obstore

        with told(self.name):
            for page in obstore.list(self._client, prefix, chunk_size=PAGE):
                yield from page

    def first_page(self, prefix: str) -> Sequence[str]:
        """The keys of up to a page of the objects below a prefix."""
        import obstore

        with told(self.name):
            return [item["path"] for item in next(iter(obstore.list(self._hasty, prefix, chunk_size=PAGE)), [])]

    def names(self, prefix: str) -> list[str]:
        """The names directly below a prefix that have objects below them."""
        import obstore

        with told(self.name):
            found = obstore.list_with_delimiter(self._client, prefix)["common_prefixes"]
        return [item.rstrip("/").rpartition("/")[2] for item in found]


@contextmanager
def told(name: str) -> Iterator[None]:
    """Errors of an object store in words, with what to do. That an object is not there is for the caller to say."""
    from obstore import exceptions

    try:
        yield
    except FileNotFoundError:
        raise
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
        next = "Give this user rights to read, write, list and delete there, and set the credentials in the environment."
        raise _trouble("store.denied", name, error, next) from error
    except exceptions.NotSupportedError as error:
        next = "Name a store that can write an object only if it is not there, or is as it was read."
        raise _trouble("store.not-able", name, error, next) from error
    except (exceptions.BaseError, OSError, ValueError) as error:
        raise _trouble("store.unreachable", name, error, _REACH) from error


@contextmanager
def _bucket_told(name: str) -> Iterator[None]:
    """When an object cannot be written because something is not there, that is the bucket."""
    try:
        yield
    except FileNotFoundError as error:
        raise _trouble("store.unreachable", name, error, _REACH) from error


_REACH = "Check that it can be reached and that the bucket exists, then run the command again; nothing was half-done."


def _trouble(code: str, name: str, error: Exception, next: str) -> MachineError:
    return MachineError(Diagnostic(code=code, what=f'the store "{name}" could not be used', why=_why(error), next=next))


def _why(error: Exception) -> str:
    """The first lines of what the client says; never the part of a URL that may hold a signature or a token."""
    text = " ".join(str(error).split("\n\nDebug source")[0].split())
    return re.sub(r"\?[^\s\"')]+", "?…", text)[:300]
