"""`-sandboxed-files`: which files a template may consist of."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.library.files import Reach


def check_fence(paths: Iterable[Path], fence: Path | None) -> None:
    """Raise `UserError` with every path that lies outside of the fence, symbolic links followed; without one all is well."""
    reach = Reach(Path(), fence)
    outside = [
        Diagnostic(
            code="template.sandboxed",
            what=f'"{path}" is outside of the template\'s directory',
            why=f'With -sandboxed-files nothing outside of "{fence}" is read; symbolic links are followed.',
            next="Put the file beside the template, or leave out -sandboxed-files.",
        )
        for path in paths
        if not reach.allows(path)
    ]
    if outside:
        raise UserError(*outside)
