"""Name look-ups of virtual machines are answered by a server of ours, asked here by real DNS messages."""

from __future__ import annotations

import os
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.machines.name_server import ADDRESS, NAME, address_of_name, answer, answering


def query(name: str, kind: int = 1) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">HHHHHH", 4711, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", kind, 1)


def test_the_known_name_has_an_address_in_any_case_of_letters() -> None:
    told = answer(query(NAME.upper()), address_of_name)

    assert told is not None
    number, flags, questions, answers, _, _ = struct.unpack_from(">HHHHHH", told)
    assert (number, flags, questions, answers) == (4711, 0x8180, 1, 1)
    assert told.endswith(socket.inet_aton(ADDRESS))


def test_it_has_no_address_of_the_other_kind_and_other_names_do_not_exist() -> None:
    for asked, code in ((query(NAME, 28), 0), (query("other.test"), 3)):
        told = answer(asked, address_of_name)
        assert told is not None
        assert struct.unpack_from(">HHHH", told)[1] & 0xF == code
        assert struct.unpack_from(">HHHH", told)[3] == 0


@given(st.binary(max_size=80))
def test_whatever_comes_is_answered_or_passed_over(message: bytes) -> None:
    told = answer(message, address_of_name)

    assert told is None or told[:2] == message[:2]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may answer on port 53")
def test_it_answers_on_a_port_of_its_own_and_is_gone_afterwards() -> None:
    with answering() as address, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(query(NAME), (address, 53))
        assert client.recv(512).endswith(socket.inet_aton(ADDRESS))

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as later:
        later.bind((address, 53))
