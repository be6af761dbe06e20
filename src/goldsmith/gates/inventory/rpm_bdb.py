"""rpm's `Packages` of Berkeley DB: a hash of pages in buckets, with long values on chains of overflow pages (`db_page.h`)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from goldsmith.gates.inventory.parts import part

_MAGIC = 0x061561
_HASH_META, _UNUSED, _OVERFLOW = 8, 0, 7
_BUCKET_PAGES = (2, 13)
"""Hash pages, unsorted as before Berkeley DB 4.6, and sorted."""
_INLINE, _OFF_PAGE = 1, 3
_PAGE_HEAD_SIZE = 26
_KEY_OF_COUNTER = bytes(4)
"""Under this key rpm keeps the number of the next package."""


@dataclass(frozen=True, slots=True)
class _Page:
    next: int
    entries: int
    used: int
    """For an overflow page: the bytes that it holds."""
    kind: int
    data: bytes


class _Hash:
    """An open hash. Everything in it raises `ValueError` for what cannot be."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        head = part(file, 0, 512)
        orders = [order for order in "<>" if struct.unpack_from(order + "I", head, 12) == (_MAGIC,)]
        if not orders:
            raise ValueError("it does not begin as a hash of Berkeley DB does")
        self.file, self.order = file, orders[0]
        self.page_size, encryption, kind, flags = struct.unpack_from(self.order + "IBBB", head, 20)
        (self.last_page,) = struct.unpack_from(self.order + "I", head, 32)
        (self.last_bucket,) = struct.unpack_from(self.order + "I", head, 72)
        self.spares = struct.unpack_from(self.order + "32I", head, 96)
        if kind != _HASH_META or encryption or flags & 1:
            raise ValueError("it is of a kind of Berkeley DB that rpm does not make")
        if not 512 <= self.page_size <= 65536 or self.page_size & (self.page_size - 1):
            raise ValueError(f"a page size of {self.page_size} cannot be")
        if (self.last_page + 1) * self.page_size > size:
            raise ValueError(f"it has {size:,} bytes, where {(self.last_page + 1) * self.page_size:,} are needed")
        if self.last_bucket > self.last_page:
            raise ValueError("it has more buckets than pages")

    def values(self) -> Iterator[bytes]:
        """The values of all buckets, but for that of rpm's counter."""
        seen: set[int] = set()
        for bucket in range(self.last_bucket + 1):
            number = bucket + self.spares[bucket.bit_length()]
            while number:
                if number in seen:
                    raise ValueError(f"page {number} is in two places")
                seen.add(number)
                page = self._page(number)
                if page.kind == _UNUSED and not page.entries:
                    break  # a bucket that nothing was put into yet
                if page.kind not in _BUCKET_PAGES:
                    raise ValueError(f"page {number} is no part of a bucket")
                yield from self._of_page(number, page)
                number = page.next

    def _page(self, number: int) -> _Page:
        if not 0 < number <= self.last_page:
            raise ValueError(f"there is no page {number}")
        data = part(self.file, number * self.page_size, self.page_size)
        following, entries, used, _, kind = struct.unpack_from(self.order + "IHHBB", data, 16)
        return _Page(following, entries, used, kind, data)

    def _of_page(self, number: int, page: _Page) -> Iterator[bytes]:
        if page.entries % 2 or _PAGE_HEAD_SIZE + 2 * page.entries > self.page_size:
            raise ValueError(f"page {number} cannot have {page.entries} entries")
        places = struct.unpack_from(f"{self.order}{page.entries}H", page.data, _PAGE_HEAD_SIZE)
        # Entries grow from the end of the page towards its head.
        ends = (self.page_size, *places[:-1])
        items = [page.data[start:end] for start, end in zip(places, ends, strict=True)]
        if not all(items) or any(start < _PAGE_HEAD_SIZE for start in places):
            raise ValueError(f"an entry of page {number} lies outside of it")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if key != bytes([_INLINE]) + _KEY_OF_COUNTER:
                yield self._value(number, value)

    def _value(self, number: int, item: bytes) -> bytes:
        if item[0] == _INLINE:
            return item[1:]
        if item[0] != _OFF_PAGE or len(item) < 12:
            raise ValueError(f"an entry of page {number} is of a kind that rpm does not make")
        first, length = struct.unpack_from(self.order + "II", item, 4)
        return self._chain(first, length)

    def _chain(self, number: int, length: int) -> bytes:
        found: list[bytes] = []
        left = length
        while left > 0:
            page = self._page(number)
            if page.kind != _OVERFLOW or not 0 < page.used <= min(left, self.page_size - _PAGE_HEAD_SIZE):
                raise ValueError(f"page {number} is no part of a value of {length:,} bytes")
            found.append(page.data[_PAGE_HEAD_SIZE : _PAGE_HEAD_SIZE + page.used])
            left -= page.used
            number = page.next
        return b"".join(found)


def bdb_headers(file: BinaryIO, size: int) -> Iterator[bytes]:
    """The headers of all packages of a database of `size` bytes. Raises `ValueError` when it is damaged or cut off."""
    yield from _Hash(file, size).values()
