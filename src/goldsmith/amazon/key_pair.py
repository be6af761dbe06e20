"""The key pair that EC2 makes for a build."""

from __future__ import annotations

from collections.abc import Mapping

from goldsmith.amazon.account import Account
from goldsmith.amazon.api import tag_specifications
from goldsmith.aws import error_code
from goldsmith.hcl.diagnostics import Diagnostic, UserError


def check_name_is_free(name: str, account: Account) -> None:
    """Refuse a name that the user chose and that is taken: a temporary key pair is deleted in the end."""
    try:
        with account.telling("Querying the key pair"):
            account.ec2().describe_key_pairs(KeyNames=[name])
    except UserError as error:
        if error_code(error) == "InvalidKeyPair.NotFound":
            return
        raise
    raise UserError(_taken(name))


def make_key_pair(name: str, type: str, tags: Mapping[str, str], account: Account) -> str:
    """Make a key pair in EC2; the private half as text."""
    ec2 = account.ec2()
    request: dict[str, object] = {"KeyName": name, "KeyType": type or "rsa"}
    if tags:
        request["TagSpecifications"] = tag_specifications({"key-pair": tags})
    for _ in range(2):
        try:
            with account.telling("Creating temporary keypair"):
                return ec2.create_key_pair(**request)["KeyMaterial"]
        except UserError as error:
            if error_code(error) != "InvalidKeyPair.Duplicate":
                raise
        # A call whose answer was lost has been made, and was tried again: that key is nobody's, because nobody has it.
        with account.telling("Creating temporary keypair"):
            ec2.delete_key_pair(KeyName=name)
    raise UserError(_taken(name))


def _taken(name: str) -> Diagnostic:
    return Diagnostic(
        code="amazon.key-pair",
        what=f'the key pair "{name}" exists already',
        why="the temporary key pair of a build is deleted in the end",
        next="Choose another temporary_key_pair_name, or leave it out.",
    )
