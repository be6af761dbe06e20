"""Packages that are linked into programs: Go modules and Rust crates, by the notes that their build tools leave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from goldsmith.gates.inventory.elf import Program, open_program
from goldsmith.gates.inventory.go import GoModule, go_modules, is_go_without_information
from goldsmith.gates.inventory.package import Found, Package
from goldsmith.gates.inventory.report import Report
from goldsmith.gates.inventory.rust import is_rust_without_list, rust_crates
from goldsmith.gates.inventory.stack import Stack

_NOT_OF_PROGRAMS = (
    "usr/share/doc/",
    "usr/share/man/",
    "usr/share/locale/",
    "usr/share/zoneinfo/",
    "usr/share/i18n/",
    "usr/share/perl/",
    "usr/share/perl5/",
    "usr/lib/modules/",
    "lib/modules/",
    "var/lib/dpkg/",
    "var/lib/apt/",
    "var/log/",
)
# fmt: off
_NOT_PROGRAMS = frozenset({
    "a", "bc", "bz2", "c", "cc", "cjs", "class", "conf", "cpp", "crt", "css", "csv", "db", "deb", "el", "elc", "eot",
    "gem", "gemspec", "gif", "go", "gz", "h", "hpp", "htm", "html", "ico", "ini", "jar", "jpg", "js", "json", "ko",
    "less", "list", "lock", "lua", "m4", "map", "md", "md5sums", "mjs", "mo", "mod", "mp3", "mp4", "o", "otf", "pc",
    "pdf", "pem", "ph", "pl", "plist", "pm", "png", "po", "pod", "pom", "properties", "py", "pyc", "pyi", "rb", "rbs",
    "rlib", "rs", "rst", "rules", "scss", "service", "sql", "svg", "tar", "target", "tcl", "timer", "toml", "ts",
    "ttf", "txt", "typelib", "vim", "wasm", "whl", "woff", "woff2", "xml", "xsd", "xsl", "xz", "yaml", "yml", "zip",
    "zst",
})
# fmt: on
"""Endings that say what a file holds; whatever has another one is opened and judged by its first bytes."""

_OPAQUE_GO = "a Go program built without modules: what is in it besides the standard library cannot be seen"
_OPAQUE_RUST = "a Rust program without a list of its crates (cargo auditable): they cannot be seen"
_OPAQUE_STATIC = "a statically linked program without a list of what is in it"
_LOCAL = "a Go module without a version, built from a local tree"


def read_programs(stack: Stack) -> Found:
    """The modules and crates in all programs and libraries. Programs that hide what is linked into them are skipped ones."""
    report = Report()
    for name in _candidates(stack):
        try:
            file = stack.open(name)
            if file is not None:
                with file:
                    _look(open_program(file.fileno()), name, report)
        except OSError as error:
            report.fault(name, f"cannot be read: {error.strerror}")
        except ValueError as error:
            report.fault(name, f"cannot be read: {error}")
    return report.found()


def _candidates(stack: Stack) -> Iterator[str]:
    for name in stack.names:
        _, dot, extension = name.rpartition("/")[2].rpartition(".")
        if not (dot and extension.lower() in _NOT_PROGRAMS) and not name.startswith(_NOT_OF_PROGRAMS):
            yield name


def _look(program: Program | None, name: str, report: Report) -> None:
    if program is None:
        return
    modules, crates = go_modules(program), rust_crates(program)
    for module in modules or ():
        if module.version:
            report.packages.append(Package(kind="golang", name=module.path, version=module.version, path=name))
        else:
            report.skip(_LOCAL, f"{module.path} in {name}")
    report.packages += [Package(kind="cargo", name=crate.name, version=crate.version, path=name) for crate in crates or ()]
    if crates is None and (reason := _opaque(program, modules)):
        report.skip(reason, name)


def _opaque(program: Program, modules: Sequence[GoModule] | None) -> str:
    """Why nothing is known of what is linked into a program; "" when it is known, or it links as it runs."""
    if modules is not None:
        return "" if len(modules) > 1 else _OPAQUE_GO
    if is_go_without_information(program):
        return _OPAQUE_GO
    if is_rust_without_list(program):
        return _OPAQUE_RUST
    return _OPAQUE_STATIC if program.is_static else ""
