"""Calls that have no counterpart that could be written for them: they stay, and a comment says what to do by hand."""

from __future__ import annotations

from collections.abc import Callable

_DOCS = "https://www.packer.io/docs/templates/hcl_templates/functions/string"
_REPLACES = "`replace(string, substring, replacement)` or `regex_replace(string, substring, replacement)`"
_REPLACE_DOCS = f"{_DOCS}/replace or {_DOCS}/regex_replace"


def unhandled(complaints: list[str]) -> dict[str, Callable[..., object]]:
    """The functions by name; each call gives itself and adds its complaint."""

    def complain(name: str, instead: str, docs: str) -> None:
        complaints.append(
            f'unhandled "{name}" call:\n'
            f'# there is no way to automatically upgrade the "{name}" call.\n'
            f"# Please manually upgrade to {instead}\n"
            f"# Visit {docs} for more infos."
        )

    def lower(text: object) -> str:
        complain("lower", "`lower(var.example)`", f"{_DOCS}/lower")
        return f"{{{{ lower `{text}` }}}}"

    def upper(text: object) -> str:
        complain("upper", "`upper(var.example)`", f"{_DOCS}/upper")
        return f"{{{{ upper `{text}` }}}}"

    def split(text: object, separator: object, place: object) -> str:
        complain("split", "`split(separator, string)`", f"{_DOCS}/split")
        return f"{{{{ split `{text}` `{separator}` {place} }}}}"

    def replace(old: object, new: object, count: object, text: object) -> str:
        # The order of the arguments is Packer's slip, kept since its output is the measure.
        complain("replace", _REPLACES, _REPLACE_DOCS)
        return f"{{{{ replace `{old}` `{new}` `{text}` {count} }}}}"

    def replace_all(old: object, new: object, text: object) -> str:
        complain("replace_all", _REPLACES, _REPLACE_DOCS)
        return f"{{{{ replace_all `{old}` `{new}` `{text}` }}}}"

    def clean_resource_name(text: object) -> str:
        docs = f"https://packer.io/docs/templates/hcl_templates/variables#custom-validation-rules , {_REPLACE_DOCS}"
        complain("clean_resource_name", f"use custom validation rules, {_REPLACES}", docs)
        return f"{{{{ clean_resource_name `{text}` }}}}"

    functions: tuple[Callable[..., object], ...] = (lower, upper, split, replace, replace_all, clean_resource_name)
    return {function.__name__: function for function in functions}


def report(complaints: list[str], text: str) -> str:
    """The text of a block below a comment with all complaints."""
    if not complaints:
        return text
    if len(complaints) == 1:
        return f"\n# 1 error occurred upgrading the following block:\n\t# {complaints[0]}\n{text}"
    listed = "\n\n\t".join(f"# {complaint}" for complaint in complaints)
    # Packer ends the list without a line break, which swallows the first line of a block that has no empty line before it.
    gap = "" if text.startswith("\n") else "\n"
    return f"\n# {len(complaints)} errors occurred upgrading the following block:\n\t{listed}{gap}{text}"
