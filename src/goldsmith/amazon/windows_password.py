"""The password that a Windows instance makes for its administrator, and that only the holder of the key pair can read."""

from __future__ import annotations

import base64
import time

from goldsmith.amazon.account import Account
from goldsmith.components import Context
from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.scripts import say

_LOOK_S = 5.0


def windows_password(instance_id: str, private_key: str, timeout_s: float, account: Account, context: Context) -> str:
    """Wait for it and decrypt it. Raises `MachineError` with code `amazon.no-windows-password` after `timeout_s`."""
    say(context, "Waiting for auto-generated password for instance...")
    until = time.monotonic() + timeout_s
    while True:
        with account.telling("Reading the password of the instance"):
            data = account.ec2().get_password_data(InstanceId=instance_id).get("PasswordData", "").strip()
        if data:
            say(context, "Password retrieved!")
            return _decrypted(data, private_key)
        if time.monotonic() > until:
            raise MachineError(
                Diagnostic(
                    code="amazon.no-windows-password",
                    what="Timeout waiting for password.",
                    why=f"EC2 has none after {timeout_s:g} s",
                    next="Check that the AMI is one of Windows whose launch agent makes a password, or write winrm_password.",
                )
            )
        context.cancellation.wait(_LOOK_S)


def _decrypted(data: str, private_key: str) -> str:
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(private_key.encode(), password=None)
        assert isinstance(key, RSAPrivateKey)
        return key.decrypt(base64.b64decode(data), PKCS1v15()).decode()
    except (ValueError, AssertionError) as error:
        raise MachineError(
            Diagnostic(
                code="amazon.windows-password",
                what="the password of the instance cannot be decrypted",
                why=f"it is encrypted for another key: {error}" if str(error) else "the key pair is not RSA",
                next="Leave the temporary key pair to the build, or write winrm_password.",
            )
        ) from error
