"""How near to an attacker each installed package is, as far as files tell: likely, never sure."""

from goldsmith.gates.exposure.reach import Exposure, Reached, exposures

__all__ = ["Exposure", "Reached", "exposures"]
