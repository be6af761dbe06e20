"""Data source `amazon-parameterstore`: reads a parameter of AWS Systems Manager."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from goldsmith.aws import AwsAccess, access_faults, aws_errors, error_code, parameter_store
from goldsmith.components import Context, DataSource, attribute
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.types import STRING, ObjectType, Type
from goldsmith.hcl.values import Value, object_of, string

_MISSING = {
    "ParameterNotFound": 'The parameter name "{}" not found',
    "ParameterVersionNotFound": 'The parameter version "{}" not found',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterConfig(AwsAccess):
    """Attributes of a `data "amazon-parameterstore"` block; names and defaults are Packer's."""

    name: str = attribute("", "The parameter's name or ARN; NAME:VERSION and NAME:LABEL choose a version.")
    with_decryption: bool = attribute(False, "Whether a secure string is decrypted.")


class AmazonParameterStore(DataSource[ParameterConfig]):
    """An object with `value`, `version` and `arn`. The value of a secure string is sensitive."""

    Config: ClassVar[type[ParameterConfig]] = ParameterConfig
    outputs: ClassVar[Type] = ObjectType(dict.fromkeys(("value", "version", "arn"), STRING))

    def check(self, config: ParameterConfig, context: Context) -> None:
        """A parameter must be named."""
        faults = list(access_faults(config))
        if not config.name:
            faults.append(Diagnostic(code="parameterstore.settings", what="a 'name' must be provided", next='Add "name".'))
        if faults:
            raise UserError(*faults)

    def read(self, config: ParameterConfig, context: Context) -> Value:
        """Ask the store. Raises `UserError` when there is no such parameter or version."""
        self.check(config, context)
        api = parameter_store(config)
        try:
            with aws_errors(f'reading the parameter "{config.name}"', config):
                answer = api.get_parameter(Name=config.name, WithDecryption=config.with_decryption)
        except UserError as error:
            if (code := error_code(error)) in _MISSING:
                what = _MISSING[code].format(config.name)
                next = "Check the name, the account and the region."
                raise UserError(Diagnostic(code="parameterstore.missing", what=what, next=next)) from error
            raise
        parameter = answer["Parameter"]
        return object_of(
            {
                "value": string(parameter.get("Value", "")).marked(parameter.get("Type") == "SecureString"),
                "version": string(str(parameter.get("Version", ""))),
                "arn": string(parameter.get("ARN", "")),
            }
        )
