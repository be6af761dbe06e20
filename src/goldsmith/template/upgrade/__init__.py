"""Legacy JSON templates as HCL."""

from goldsmith.template.upgrade.upgrade import Upgraded, upgrade

__all__ = ["Upgraded", "upgrade"]
