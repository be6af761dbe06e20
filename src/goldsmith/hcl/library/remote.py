"""Functions that ask a server for a secret: known names, whose call says that they do not work yet."""

from __future__ import annotations

from collections.abc import Sequence

from goldsmith.hcl.function import Function, FunctionFault, Parameter
from goldsmith.hcl.types import STRING
from goldsmith.hcl.values import Value

NAMES = ("aws_secretsmanager", "aws_secretsmanager_raw", "consul_key", "vault")


def functions() -> tuple[Function, ...]:
    """The four of Packer."""
    return tuple(Function(name, variadic=Parameter("arguments", STRING), call=_refuse, result=STRING) for name in NAMES)


def _refuse(arguments: Sequence[Value]) -> Value:
    raise FunctionFault("this function is not supported yet; pass the value in a variable, for example by PKR_VAR_name")
