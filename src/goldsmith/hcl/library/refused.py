"""Functions of Packer that are known by name only: their call says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from goldsmith.hcl.scope import Function, FunctionFault, Parameter
from goldsmith.hcl.types import STRING
from goldsmith.hcl.values import Value

_ASKED = {
    "aws_secretsmanager": "AWS Secrets Manager",
    "aws_secretsmanager_raw": "AWS Secrets Manager",
    "consul_key": "Consul",
    "vault": "Vault",
}


def functions() -> tuple[Function, ...]:
    """The functions that would ask a service over the network for a value."""
    return tuple(Function(name, variadic=Parameter("args", STRING), call=_refuse(name), result=STRING) for name in _ASKED)


def _refuse(name: str) -> Callable[[Sequence[Value]], Value]:
    def call(given: Sequence[Value]) -> Value:
        raise FunctionFault(
            f"Goldsmith does not ask {_ASKED[name]} for values; read the value before the build and hand it over in a "
            "sensitive variable, for example through PKR_VAR_name"
        )

    return call
