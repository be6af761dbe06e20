"""The command line: one file per command, and the renderers of events."""

from goldsmith.cli.app import main

__all__ = ["main"]
