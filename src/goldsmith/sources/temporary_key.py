"""The temporary key of a build is taken out of the machine before it is imaged."""

from __future__ import annotations

from goldsmith.components import Context
from goldsmith.events import Warned
from goldsmith.machines.machine import Machine
from goldsmith.machines.ssh import public_half

# With the programs of the smallest system: neither sed nor temporary files.
_SCRIPT = """\
for f in ~/.ssh/authorized_keys /root/.ssh/authorized_keys; do
  for s in '' 'sudo -n'; do
    $s grep -qF KEY "$f" 2>/dev/null || continue
    $s sh -c 'left=$(grep -vF KEY "$1"); printf "%s\\n" "$left" > "$1"' - "$f" 2>/dev/null && break
  done
done
! grep -qF KEY ~/.ssh/authorized_keys 2>/dev/null
"""


def forget_key(machine: Machine, private_key: str, context: Context) -> None:
    """Remove the key from the files of those who may log in; what cannot be done is told. Nobody else has its private half."""
    # Base64 has no letter that means anything to a shell.
    script = _SCRIPT.replace("KEY", public_half(private_key).split()[1])
    if machine.run(["/bin/sh", "-c", script]) != 0:
        text = "the temporary key could not be removed from authorized_keys; its private half is thrown away"
        context.emit(Warned(build=context.build, text=text))
