"""Gate `hardening`: is the image set up as a careful administrator would set it up?"""

from goldsmith.gates.hardening.booted import BOOT_PROBES, judge_booted
from goldsmith.gates.hardening.gate import Hardening, HardeningConfig

__all__ = ["BOOT_PROBES", "Hardening", "HardeningConfig", "judge_booted"]
