"""Gate `boot`: does the sealed disk come up through firmware and boot loader, as what it says it is?"""

from goldsmith.gates.boot.gate import Boot, BootConfig

__all__ = ["Boot", "BootConfig"]
