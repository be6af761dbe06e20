"""Data source `amazon-secretsmanager`: reads a secret of the AWS Secrets Manager."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import ClassVar

from goldsmith.aws import AwsAccess, access_faults, aws_errors, error_code, secrets_manager
from goldsmith.components import Context, DataSource, attribute
from goldsmith.hcl.diagnostics import Diagnostic, UserError, did_you_mean
from goldsmith.hcl.types import STRING, ObjectType, Type
from goldsmith.hcl.values import Value, object_of, string

_MISSING = ("ResourceNotFoundException", "InvalidRequestException")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretConfig(AwsAccess):
    """Attributes of a `data "amazon-secretsmanager"` block; names and defaults are Packer's."""

    name: str = attribute("", "The secret's name or ARN.")
    key: str = attribute("", "Which value of a JSON secret becomes `value`; the first when nothing is said.")
    version_id: str = attribute("", "The version by its id; it wins over version_stage.")
    version_stage: str = attribute("AWSCURRENT", "The version by its label.")


class AmazonSecretsManager(DataSource[SecretConfig]):
    """An object with `value`, `secret_string`, `secret_binary` and `version_id`; all but the last are sensitive."""

    Config: ClassVar[type[SecretConfig]] = SecretConfig
    outputs: ClassVar[Type] = ObjectType(dict.fromkeys(("value", "secret_string", "secret_binary", "version_id"), STRING))

    def check(self, config: SecretConfig, context: Context) -> None:
        """A secret must be named."""
        faults = list(access_faults(config))
        if not config.name:
            faults.append(Diagnostic(code="secretsmanager.settings", what="a 'name' must be provided", next='Add "name".'))
        if faults:
            raise UserError(*faults)

    def read(self, config: SecretConfig, context: Context) -> Value:
        """Ask the Secrets Manager. Raises `UserError` when there is no such secret, version or key."""
        self.check(config, context)
        version = {"VersionId": config.version_id} if config.version_id else {"VersionStage": config.version_stage}
        api = secrets_manager(config)
        try:
            with aws_errors(f'reading the secret "{config.name}"', config):
                secret = api.get_secret_value(SecretId=config.name, **version)
        except UserError as error:
            if error_code(error) in _MISSING:
                told = next(iter(version.values()))
                raise UserError(_missing(config, told, error)) from error
            raise
        text = secret.get("SecretString", "")
        return object_of(
            {
                "value": string(_value(text, config)).marked(),
                "secret_string": string(text).marked(),
                "secret_binary": string(_binary(secret.get("SecretBinary", b""))).marked(),
                "version_id": string(secret.get("VersionId", "")),
            }
        )


def _missing(config: SecretConfig, version: str, error: UserError) -> Diagnostic:
    return Diagnostic(
        code="secretsmanager.missing",
        what=f'Secrets Manager Secret "{config.name}" Version "{version}" not found',
        why=error.diagnostics[0].why,
        next="Check the name, the version, the account and the region.",
    )


def _value(text: str, config: SecretConfig) -> str:
    """One value of a JSON object; a text that is no such object is the value itself."""
    try:
        # Numbers stay as they are written: a PIN must not lose its digits.
        document = json.loads(text, parse_int=str, parse_float=str)
    except ValueError:
        return text
    if not isinstance(document, dict):
        return text
    if config.key and config.key not in document:
        raise UserError(
            Diagnostic(
                code="secretsmanager.key",
                what=f'the secret "{config.name}" has no key "{config.key}"',
                next=did_you_mean(config.key, document) or "Check the key.",
            )
        )
    found = document[config.key] if config.key else next(iter(document.values()), "")
    if not isinstance(found, str):
        raise UserError(
            Diagnostic(
                code="secretsmanager.value",
                what="error to get secret value: Unsupported secret value type",
                why=f'the value in the secret "{config.name}" is neither text nor a number',
                next='Use jsondecode of "secret_string".',
            )
        )
    return found


def _binary(content: bytes) -> str:
    """Text as it is, as Packer gives it; what is no text as base64."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return base64.b64encode(content).decode()
