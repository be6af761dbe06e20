"""Gate `patches`: is there a newer package in the archives that the image itself trusts? No vulnerability data needed."""

from goldsmith.gates.patches.config import PatchesConfig
from goldsmith.gates.patches.gate import Patches

__all__ = ["Patches", "PatchesConfig"]
