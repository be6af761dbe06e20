"""Legacy JSON templates brought up to date."""

from goldsmith.template.fixes.fixers import FIXERS, Fixer, fix

__all__ = ["FIXERS", "Fixer", "fix"]
