"""Functions on network addresses in CIDR notation."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import TypeAlias

from goldsmith.hcl.library.arguments import AMOUNT, TEXT, named, of, text, whole
from goldsmith.hcl.scope import Function, FunctionFault
from goldsmith.hcl.types import STRING, ListType
from goldsmith.hcl.values import Value, string

_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


def functions() -> tuple[Function, ...]:
    """All functions of this family."""
    prefix = named("prefix", TEXT)
    more = named("newbits", AMOUNT)
    return (
        of("cidrhost", _cidrhost, prefix, named("hostnum", AMOUNT), result=STRING),
        of("cidrnetmask", _cidrnetmask, prefix, result=STRING),
        of("cidrsubnet", _cidrsubnet, prefix, more, named("netnum", AMOUNT), result=STRING),
        of("cidrsubnets", _cidrsubnets, prefix, rest=more, result=ListType(STRING)),
    )


def _network(given: Value) -> _Network:
    if "/" not in text(given):
        raise FunctionFault(f"invalid CIDR expression: invalid CIDR address: {text(given)}", 0)
    try:
        return ipaddress.ip_network(text(given), strict=False)
    except ValueError as fault:
        raise FunctionFault(f"invalid CIDR expression: {fault}", 0) from fault


def _subnet(network: _Network, address: int, length: int) -> _Network:
    # The class, and not ip_network(), because a low number does not tell the version of the address.
    return network.__class__((address, length))


def _cidrhost(given: Sequence[Value]) -> Value:
    """The address of a host by number; a negative number counts from the end."""
    network, host = _network(given[0]), whole(given[1], 1)
    if not -network.num_addresses <= host < network.num_addresses:
        raise FunctionFault(f"prefix of {network.prefixlen} does not accommodate a host numbered {host}", 1)
    return string(str(network[host]))


def _cidrnetmask(given: Sequence[Value]) -> Value:
    return string(str(_network(given[0]).netmask))


def _cidrsubnet(given: Sequence[Value]) -> Value:
    network, more, place = _network(given[0]), whole(given[1], 1), whole(given[2], 2)
    length = network.prefixlen + more
    if more < 0 or length > network.max_prefixlen:
        raise FunctionFault(f"insufficient address space to extend prefix of {network.prefixlen} by {more}", 1)
    if not 0 <= place < 1 << more:
        raise FunctionFault(f"prefix extension of {more} does not accommodate a subnet numbered {place}", 2)
    start = int(network.network_address) + (place << (network.max_prefixlen - length))
    return string(str(_subnet(network, start, length)))


def _cidrsubnets(given: Sequence[Value]) -> Value:
    """Subnets one after another, each at the next place that is aligned for its size."""
    network = _network(given[0])
    at, end = int(network.network_address), int(network.broadcast_address)
    found: list[Value] = []
    for argument, more in enumerate((whole(value, place) for place, value in enumerate(given[1:], start=1)), start=1):
        length = _extended(network, more, argument)
        size = 1 << (network.max_prefixlen - length)
        start = -(-at // size) * size
        if start + size - 1 > end:
            after = f" after {found[-1].raw}" if found else ""
            why = f"not enough remaining address space for a subnet with a prefix of {length} bits{after}"
            raise FunctionFault(why, argument)
        found.append(string(str(_subnet(network, start, length))))
        at = start + size
    return Value(ListType(STRING), tuple(found))


def _extended(network: _Network, more: int, argument: int) -> int:
    if more < 1:
        raise FunctionFault("must extend prefix by at least one bit", argument)
    if more > 32:
        raise FunctionFault("may not extend prefix by more than 32 bits", argument)
    length = network.prefixlen + more
    if length > network.max_prefixlen:
        raise FunctionFault(
            f"would extend prefix to {length} bits, which is too long for an IPv{network.version} address", argument
        )
    return length
