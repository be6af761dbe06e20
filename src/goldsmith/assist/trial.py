"""Scripts tried on a parent: traced, so that their role gets guards, and held against the role that was made of them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.assist.conversion import Conversion
from goldsmith.assist.divergences import Divergence
from goldsmith.assist.ledger import Ledger, TraceOptions, trace
from goldsmith.assist.proof import Claim
from goldsmith.assist.proxy import Proxy
from goldsmith.assist.runs import Ground
from goldsmith.assist.shell import Script
from goldsmith.hcl.diagnostics import Diagnostic, UserError


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Scripts, and where they are tried."""

    scripts: tuple[Script, ...]
    ground: Ground

    @property
    def environment(self) -> Mapping[str, str]:
        """What the scripts are given. Raises `UserError` when they are given different values of one variable."""
        found: dict[str, str] = {}
        for script in self.scripts:
            for name, value in script.environment.items():
                if found.setdefault(name, value) != value:
                    raise UserError(
                        Diagnostic(
                            code="proof.environments-differ",
                            what=f'the scripts are given different values of "{name}"',
                            why="they run one after the other in one environment",
                            next="Convert and prove the provisioners one by one.",
                        )
                    )
        return found

    def trace(self) -> Ledger:
        """Run the scripts once under a trace. Raises `UserError` when they do not run to their end."""
        session = self.ground.session
        place = session.work / f"trace-{secrets.token_hex(3)}"
        place.mkdir()
        proxy = None
        if self.ground.recordings is not None:
            proxy = Proxy(self.ground.recordings, session.work, fetches=True, trees=self.ground.parent.lowers)
        options = TraceOptions(environment=self.environment, proxy=proxy)
        ledger = trace(self.scripts, self.ground.parent, options, session.journal, place, session.cancellation)
        if ledger.faults:
            raise UserError(*ledger.faults)
        return ledger

    def claim(self, made: Conversion, role: Path, ledger: Ledger | None, divergences: Sequence[Divergence] = ()) -> Claim:
        """What is to be proven of the role that was written to a directory."""
        return Claim(
            scripts=self.scripts,
            role=role,
            environment=self.environment,
            variables=made.given(self.environment),
            divergences=tuple(divergences),
            ledger=ledger,
        )
