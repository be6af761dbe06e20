"""`goldsmith clean`: releases what killed runs left behind; `-cache` prunes the cache."""

from __future__ import annotations

import click

from goldsmith.cli.options import flag


@click.command("clean")
@flag("cache", "Also prune the cache: disks, layers, downloaded packages, indexes and tools, by last use.")
@click.option("-limit", "limit", default="", metavar="SIZE", help="With -cache: the size to prune to, such as 5GB or 0MB.")
def command(cache: bool, limit: str) -> int:
    """Release processes, directories and sockets of runs that were killed."""
    from goldsmith.build import StepCache
    from goldsmith.cli.rendering import Style, renderer
    from goldsmith.cli.rendering.lines import size
    from goldsmith.machines import Journal
    from goldsmith.project import cache_directory, size_bytes

    with renderer(Style()) as emit:
        released = Journal(cache_directory() / "journal").sweep(emit)
        store = StepCache(cache_directory())  # opening it removes layers that were half made
        freed = store.prune(emit, size_bytes(limit) if limit else None) if cache else 0
    click.echo(f"Released {len(released)} left over." + (f" Freed {size(freed)} of the cache." if cache else ""))
    return 0
