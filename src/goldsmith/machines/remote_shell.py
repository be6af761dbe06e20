"""How a command starts in a shell that is reached through a connection: by words that only the shell itself reads."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

# `read` takes no byte more than its line, so the rest is the command's own input.
_STARTER = """HELLO; c=; while IFS= read -r l && [ "$l" != MARK ]; do c="$c$l
"; done; eval "$c"
"""


def script(argv: Sequence[str], env: Mapping[str, str], cwd: str) -> str:
    """The shell text that runs a command in a directory, with further variables."""
    exports = "".join(f"export {name}={shlex.quote(value)}; " for name, value in env.items() if name.isidentifier())
    others = [f"{name}={value}" for name, value in env.items() if not name.isidentifier()]
    words = [*(["env", *others] if others else []), *argv]
    return f"cd {shlex.quote(cwd)} || exit 126; {exports}exec {shlex.join(words)}"


def starter(mark: str, hello: str) -> str:
    """The argument of `sh -c` that says hello, and then runs the script that comes on standard input, up to a line `mark`.

    Everyone on the machine may read arguments, and a script holds the values of variables.
    """
    return _STARTER.replace("HELLO", hello).replace("MARK", mark)


def script_input(text: str, mark: str) -> bytes:
    """What `starter` reads; the command's own input follows it."""
    return f"{text}\n{mark}\n".encode()
