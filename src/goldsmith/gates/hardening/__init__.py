"""Gate `hardening`: is the image set up as a careful administrator would set it up?"""

from goldsmith.gates.hardening.boot_facts import AGAIN, READINGS, BootFacts
from goldsmith.gates.hardening.booted import BootJudged, judge_boot
from goldsmith.gates.hardening.config import HardeningConfig
from goldsmith.gates.hardening.gate import Hardening

__all__ = ["AGAIN", "READINGS", "BootFacts", "BootJudged", "Hardening", "HardeningConfig", "judge_boot"]
