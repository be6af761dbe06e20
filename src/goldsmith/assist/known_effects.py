"""What is known of commands without a trace: the files that they write, by their words, and how their output tells a change."""

from __future__ import annotations

import re
from collections.abc import Mapping

from goldsmith.assist import counted
from goldsmith.assist.commands import Command, Redirect, Word


def written(command: Command) -> tuple[Word, ...] | None:
    """The files that the command writes, where its words name all of them; None where it may change more."""
    outputs: list[Word] = []
    for part in (*command.feeds, command):
        effect = counted.effect(part.name, [word.text for word in part.args])
        if effect == "state":
            named = _named_outputs(part)
            if named is None:
                return None
            outputs += named
        elif effect == "control" and part.name not in (":", "true", "false", "test", "[", "[["):
            return None
        outputs += [part.path(item.target) for item in part.redirects if ">" in item.operator and not is_descriptor(item)]
    return tuple(outputs)


def telling(command: Command) -> str | None:
    """How the output of a command says whether it changed something, or None."""
    pattern, changed = _TELL.get(command.name, ("", ""))
    words = " ".join(word.label for word in command.args)
    if not changed or command.feeds or command.redirects or not re.fullmatch(pattern, words, re.DOTALL):
        return None
    return changed


def is_descriptor(redirect: Redirect) -> bool:
    """Whether a redirection goes to what is open already, and to no file."""
    text = redirect.target.text or ""
    return redirect.operator in (">&", "<&") and (text.isdigit() or text == "-")


# What programs say when they changed something, or when they did not; by the words that they are called with.
_TELL: Mapping[str, tuple[str, str]] = {
    "gpg": (r"(?:.* )?--(?:import|rec(?:ei)?v(?:e)?-keys?|refresh-keys)(?: .*)?", "RESULT.stderr is search('imported: [1-9]')"),
    "conda": (r"(?:install|update|upgrade|remove)(?: .*)?", "'All requested packages already installed' not in RESULT.stdout"),
    "mamba": (r"(?:install|update|upgrade|remove)(?: .*)?", "'All requested packages already installed' not in RESULT.stdout"),
    "dnf": (r".*", "'Nothing to do' not in RESULT.stdout"),
    "yum": (r".*", "'Nothing to do' not in RESULT.stdout"),
    "apt-get": (r".*", "RESULT.stdout is not search('0 upgraded, 0 newly installed, 0 to remove')"),
    "composer": (r"(?:install|update|require)(?: .*)?", "'Nothing to install, update or remove' not in RESULT.stderr"),
    "bundle": (r"install(?: .*)?", "'Installing ' in RESULT.stdout"),
    "kubectl": (r"apply(?: .*)?", "RESULT.stdout is search('(created|configured)$', multiline=true)"),
    "helm": (r"repo add(?: .*)?", "'already exists' not in RESULT.stdout"),
}

# Options whose value is the one file that a command writes; "=" where it stands in the same word (`of=FILE`).
_OUTPUTS: Mapping[str, tuple[str, ...]] = {
    "gpg": ("-o", "--output"),
    "dd": ("of=",),
    "grub2-mkconfig": ("-o", "--output"),
    "grub-mkconfig": ("-o", "--output"),
    "openssl": ("-out",),
    "envsubst": (),
    "base64": (),
    "ssh-keyscan": (),
    "kubectl": (),
    "helm": (),
    "virt-what": (),
    "sort": ("-o", "--output"),
    "tee": (),
    "aws": (),
    "curl": ("-o", "--output"),
    "wget": ("-O", "--output-document"),
}


def _named_outputs(command: Command) -> list[Word] | None:
    options = _OUTPUTS.get(command.name)
    if options is None or _writes_more(command):
        return None
    if command.name in ("tee", "aws"):
        return _operands(command)
    found: list[Word] = []
    for index, word in enumerate(command.args):
        for option in options:
            if word.text == option and index + 1 < len(command.args):
                found.append(command.path(command.args[index + 1]))
            elif option.endswith("=") and word.startswith(option):
                found.append(command.path(word.after(option)))
            elif option.startswith("--") and word.startswith(option + "="):
                found.append(command.path(word.after(option + "=")))
    to_file = any(">" in item.operator and not is_descriptor(item) for item in command.redirects)
    return found if found or to_file else None


def _operands(command: Command) -> list[Word] | None:
    """What `tee` writes, and what `aws s3 cp` copies out of a bucket to a file."""
    operands = [word for word in command.args if not word.startswith("-")]
    if command.name == "tee":
        return [command.path(word) for word in operands if not word.startswith("/dev/")]
    if [word.text for word in operands[:2]] != ["s3", "cp"] or any(word.text == "--recursive" for word in command.args):
        return None
    places = [index for index, word in enumerate(command.args) if word.startswith("s3://")]
    if len(places) != 1 or places[0] + 1 >= len(command.args):
        return None
    target = command.args[places[0] + 1]
    if target.startswith("-") or (target.text or "").endswith(("/", ".")):
        return None
    return [command.path(target)]


def _writes_more(command: Command) -> bool:
    words = [word.text or "" for word in command.args]
    if command.name == "gpg":
        return not any(word in ("--dearmor", "--enarmor", "-d", "--decrypt", "--export") for word in words)
    if command.name == "openssl":
        return words[:1] not in (["x509"], ["pkcs12"], ["rsa"], ["pkey"], ["ec"], ["pkcs7"], ["enc"], ["crl2pkcs7"], ["rand"])
    if command.name == "kubectl":
        return words[:1] != ["completion"] and "--dry-run=client" not in words
    if command.name == "helm":
        return words[:1] not in (["completion"], ["template"], ["show"])
    return False
