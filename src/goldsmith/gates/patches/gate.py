"""The gate itself: its settings, and what its result rests on."""

from __future__ import annotations

from collections.abc import Sequence

from goldsmith.events import Emit
from goldsmith.gates.contract import Facts, Gate, Subject
from goldsmith.gates.inventory.archive_index import index_digests
from goldsmith.gates.patches.config import PatchesConfig
from goldsmith.machines.cancellation import Cancellation


class Patches(Gate[PatchesConfig]):
    """Compares installed packages with the archives' signed indexes of today."""

    name = "patches"
    Config = PatchesConfig

    def examine(self, subject: Subject, config: PatchesConfig, emit: Emit, cancellation: Cancellation) -> Facts:
        """Find packages that are behind. Raises `MachineError` when there is nothing to compare with."""
        from goldsmith.gates.patches.examination import compare_with_archives

        return compare_with_archives(subject, config, cancellation)

    def data_digests(self, subject: Subject, config: PatchesConfig) -> Sequence[str]:
        """The indexes that the verdict rests on, and the day while an update may still wait.

        Which repositories an image of rpm or apk names is not known before its tree is there: they are asked each day.
        """
        is_asked_daily = config.within > 0 or subject.lists is None
        days = [f"day {subject.now_s // 86400}"] if is_asked_daily else []
        return [*(index_digests(subject.lists) if subject.lists is not None else ()), *days]
