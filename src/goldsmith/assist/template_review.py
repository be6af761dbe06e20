"""What a template would give away: literals, variables that are not sensitive, and where sensitive values flow."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from goldsmith.assist.places import Part, Place, text_of, texts
from goldsmith.assist.remarks import Remark, Remarks
from goldsmith.assist.script_review import has_trace, review_script
from goldsmith.gates.secrets.generic import NAME, is_placeholder
from goldsmith.hcl import Expression, references
from goldsmith.hcl.ast import Call, Literal
from goldsmith.hcl.source import Range

_CREDENTIAL = re.compile(rf"(?i)(?:^|[_.-]|[a-z0-9]){NAME}$")
_BUILD_PASSWORDS = frozenset({"ssh_password", "winrm_password"})
"""Throw-away passwords of the machine that builds: the secrets gate proves that they are gone."""
_TEXT_PLACES = frozenset(
    {
        "boot_command",
        "cd_content",
        "environment_vars",
        "env",
        "execute_command",
        "extra_arguments",
        "floppy_content",
        "http_content",
        "inline",
        "metadata",
        "user_data",
        "content",
    }
)
_SECRET_CALLS = frozenset({"vault", "aws_secretsmanager", "aws_secretsmanager_raw"})
_SECRET_DATA = frozenset({"amazon-secretsmanager", "vault"})
_PRINTS = re.compile(r"(?m)^\s*(?:env|printenv|set|export\s+-p|declare\s+-x)\s*(?:$|[|>;&])")
_SUDO_LITERAL = re.compile(
    r"echo\s+[\"']?(?P<value>[^\s\"'$|{]{3,60})[\"']?\s*\|\s*(?:\{\{[^}]*\}\}\s*)?(?:env\s+)?[^|\n]{0,80}?sudo\b[^|\n]*-S"
)
_PLAIN = re.compile(r"(?s)(?!.*(?:\$\{|\{\{)).+")

HAND_OVER = "Give the variable no default and sensitive = true; set PKR_VAR_NAME or use -var-file when building."


def is_credential(name: str) -> bool:
    """Whether a name says that its value is a credential: `db_password` does, `secrets_method` does not."""
    return _CREDENTIAL.search(name) is not None


def review_variable_file(remarks: Remarks, places: Iterable[Place]) -> Iterator[Remark]:
    """A literal for a name of a credential in a variable file."""
    for place in places:
        if is_credential(place.name):
            for text, where in _literals(place.expression):
                what = f'"{place.name}" has its value in a variable file'
                fix = (
                    "Take it from the environment (PKR_VAR_…), or from a secret store, and keep the file out of the repository."
                )
                yield remarks.at(_offset(where), "variables.literal-secret", "fail", what, fix, text)


class TemplateReview:
    """The checks of one template; its parts may come from several files."""

    def __init__(self, parts: Mapping[str, tuple[Part, ...]], directory: Path, sensitive: frozenset[str] = frozenset()) -> None:
        self._parts = parts
        self._directory = directory
        everything = [part for found in parts.values() for part in found]
        self._declared = sensitive | {
            part.labels[0]
            for part in everything
            if part.kind == "variable" and part.labels and _is_true(part.value("sensitive"))
        }
        self._secret = self._secret_names(everything)
        self._build_passwords = self._only_for_the_build(everything)

    def remarks(self, remarks: Remarks) -> Iterator[Remark]:
        """The remarks about one of its files."""
        for part in self._parts[remarks.file]:
            if part.kind == "variable":
                yield from self._variable(part, remarks)
                continue
            for place in part.places:
                yield from self._place(part, place, remarks)
            if part.kind == "provisioner":
                yield from self._provisioner(part, remarks)
            if part.kind == "post-processor":
                yield from self._post_processor(part, remarks)

    def _variable(self, part: Part, remarks: Remarks) -> Iterator[Remark]:
        name = part.labels[0] if part.labels else ""
        if not is_credential(name) and name not in self._declared:
            return
        default = part.value("default")
        literals = list(_literals(default)) if default is not None else []
        for text, where in literals:
            if name in self._build_passwords:
                yield self._build_password(remarks, name, text, where)
            else:
                what = f'variable "{name}" has its value in the template'
                yield remarks.at(_offset(where), "variable.literal-default", "fail", what, HAND_OVER, text)
        if name not in self._declared and not literals:
            what = f'variable "{name}" is named like a credential and is not sensitive, so its value is printed'
            yield remarks.at(_offset(part.range), "variable.not-sensitive", "warn", what, "Add sensitive = true.")

    def _place(self, part: Part, place: Place, remarks: Remarks) -> Iterator[Remark]:
        if is_credential(place.name):
            for text, where in _literals(place.expression):
                if place.name in _BUILD_PASSWORDS:
                    yield self._build_password(remarks, place.name, text, where)
                else:
                    what = f'"{place.name}" has its value in the template'
                    yield remarks.at(_offset(where), "template.literal-secret", "fail", what, HAND_OVER, text)
        if place.name not in _TEXT_PLACES:
            return
        for text, where in texts(place.expression):
            sudo = _SUDO_LITERAL.search(text)
            if sudo is not None:
                yield self._build_password(remarks, place.name, sudo["value"], where)
            if place.name == "inline":
                yield from review_script(remarks, _offset(where), text)
            elif sudo is None:
                yield from remarks.assigned("template.literal-secret", _offset(where), text)
        if place.name in ("user_data", "http_content", "cd_content", "boot_command", "metadata", "extra_arguments"):
            yield from self._flow(place, remarks)

    def _flow(self, place: Place, remarks: Remarks) -> Iterator[Remark]:
        if self._is_secret(place.expression):
            what = f'a sensitive value is put into "{place.name}", which others can read while the machine runs'
            fix = "Hand it over in environment_vars, or let the machine fetch it."
            yield remarks.at(_offset(place.range), "template.secret-exposed", "warn", what, fix)

    def _provisioner(self, part: Part, remarks: Remarks) -> Iterator[Remark]:
        type = part.labels[0] if part.labels else ""
        content, inline = part.value("content"), part.value("inline")
        if type == "file" and content is not None and self._is_secret(content):
            target = text_of(part.value("destination") or content)
            if not self._is_removed_later(part, target, remarks.file):
                what = f'a sensitive value is written to "{target}", and nothing removes it'
                fix = "Have it made at first boot, or remove it in a later step."
                yield remarks.at(_offset(part.range), "template.secret-in-file", "warn", what, fix)
        if type not in ("shell", "shell-local"):
            return
        given = part.value("environment_vars") or part.value("env")
        has_secret = (given is not None and self._is_secret(given)) or (inline is not None and self._is_secret(inline))
        if inline is not None and self._is_secret(inline):
            what = "a sensitive value is put into the text of a script, which stands on the machine's disk while it runs"
            fix = "Hand it over in environment_vars, and use it from there."
            yield remarks.at(_offset(part.range), "template.secret-in-script", "warn", what, fix)
        if has_secret and any(has_trace(script) for script in self._scripts(part)):
            what = "commands are traced (set -x) in a script that is given a secret"
            yield remarks.at(_offset(part.range), "template.trace-beside-secret", "fail", what, "Remove set -x.")

    def _post_processor(self, part: Part, remarks: Remarks) -> Iterator[Remark]:
        if part.labels[:1] == ("shell-local",) and any(_PRINTS.search(script) for script in self._scripts(part)):
            what = "a post-processor prints its environment, in which secrets stand"
            yield remarks.at(_offset(part.range), "template.prints-environment", "warn", what, "Print single variables.")

    def _build_password(self, remarks: Remarks, name: str, text: str, where: Range) -> Remark:
        what = f'"{name}" is a password of the machine that builds, and stands in the template'
        fix = 'Use a temporary key; with gate "secrets" {} it is proven that the password is gone from the image.'
        return remarks.at(_offset(where), "template.build-password", "warn", what, fix, text)

    def _scripts(self, part: Part) -> Iterator[str]:
        inline = part.value("inline")
        if inline is not None:
            yield "\n".join(text for text, _ in texts(inline))
        for name in ("script", "scripts"):
            named = part.value(name)
            for text, _ in texts(named) if named is not None else ():
                path = self._directory / text.replace("${path.root}/", "")
                if "${" not in str(path) and path.is_file():
                    yield path.read_text(errors="replace")

    def _is_removed_later(self, part: Part, target: str, file: str) -> bool:
        after = list(self._parts[file])
        later = after[after.index(part) + 1 :]
        removes = re.compile(rf"\b(?:rm|shred)\b[^\n]*{re.escape(target)}")
        return any(removes.search(script) for item in later if item.kind == "provisioner" for script in self._scripts(item))

    def _secret_names(self, parts: list[Part]) -> frozenset[tuple[str, ...]]:
        """Variables and locals that hold a secret, by what they are made of."""
        names: set[tuple[str, ...]] = {("var", name) for name in self._declared}
        names |= {
            ("var", part.labels[0])
            for part in parts
            if part.kind == "variable" and part.labels and is_credential(part.labels[0])
        }
        names |= {
            ("data", part.labels[0]) for part in parts if part.kind == "data" and part.labels and part.labels[0] in _SECRET_DATA
        }
        locals = [(part, place) for part in parts if part.kind == "locals" for place in part.places]
        size = -1
        while size != len(names):
            size = len(names)
            for part, place in locals:
                if _mentions(place.expression, names) or (part.labels and _is_true(part.value("sensitive"))):
                    names.add(("local", part.labels[0] if part.labels else place.name))
        return frozenset(names)

    def _only_for_the_build(self, parts: list[Part]) -> frozenset[str]:
        """Variables that go nowhere but into the password of the machine that builds."""
        used: dict[str, set[str]] = {}
        for part in parts:
            for place in part.places:
                for reference in references(place.expression):
                    if reference.root == "var" and len(reference.parts) > 1:
                        used.setdefault(reference.parts[1], set()).add(place.name)
        return frozenset(name for name, places in used.items() if places <= _BUILD_PASSWORDS)

    def _is_secret(self, expression: Expression) -> bool:
        return _mentions(expression, self._secret) or any(
            re.search(rf"\{{\{{\s*user\s+`{re.escape(name)}`\s*\}}\}}", text)
            for text, _ in texts(expression)
            for name in self._declared
        )


def _mentions(expression: Expression, names: Iterable[tuple[str, ...]]) -> bool:
    wanted = set(names)
    if any(reference.parts[:2] in wanted for reference in references(expression)):
        return True
    return isinstance(expression, Call) and expression.name in _SECRET_CALLS


def _literals(expression: Expression) -> Iterator[tuple[str, Range]]:
    """Texts of a value that are neither put together nor stand for something else."""
    for text, where in texts(expression):
        if _PLAIN.fullmatch(text) and not is_placeholder(text.encode()):
            yield text, where


def _is_true(expression: Expression | None) -> bool:
    return isinstance(expression, Literal) and expression.value.raw is True


def _offset(where: Range) -> int:
    return where.span[0]
