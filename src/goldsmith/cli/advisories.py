"""`goldsmith advisories`: fetch, pass on and show what is known to be vulnerable."""

from __future__ import annotations

import time
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING

import click

from goldsmith.cli.options import flag
from goldsmith.cli.packer_commands import PackerCommands

if TYPE_CHECKING:
    from goldsmith.gates.advisories.database import Database
    from goldsmith.gates.advisories.feeds import Feed
    from goldsmith.gates.advisories.store import Store
    from goldsmith.gates.advisories.updating import Outcome
    from goldsmith.gates.advisories.vulnerability import FeedUsed


@click.command("advisories", cls=PackerCommands, invoke_without_command=True)
def command() -> None:
    """Fetch, pass on and show what is known to be vulnerable. One signed file on this host holds it, for all projects."""


@command.command("update")
@flag("json", "Tell the outcome as JSON.")
@click.option("-mirror", default="", metavar="URL|DIR", help="Where documents are, below HOST/PATH; default: their origins.")
@click.option("-only", multiple=True, metavar="A,B", help="Only these feeds; all others stay as they are.")
def update(json: bool, mirror: str, only: tuple[str, ...]) -> int:
    """Fetch what feeds tell now

    \b
    What did not change is not fetched again. A feed that cannot be had or read, that tells nothing of its date or lost more
    than 30 % of its records keeps its old rows and their age.
    Exit code: 0 all feeds are taken, 1 some are not.
    """
    from goldsmith.gates.advisories.feeds import Fetcher
    from goldsmith.gates.advisories.updating import update as update_store
    from goldsmith.gates.patches.noticing import noticed_indexes
    from goldsmith.project import cache_directory

    store = _store()
    fetcher = Fetcher(store.downloads, mirror)
    noticed = noticed_indexes(cache_directory())
    try:
        outcomes = update_store(store, _chosen(only), fetcher, int(time.time()), (lambda _: None) if json else _tell, noticed)
    finally:
        fetcher.close()
    path = store.current()
    if json:
        feeds = [{"feed": item.feed, "state": item.state, "records": item.records, "why": item.why} for item in outcomes]
        click.echo(dumps({"file": str(path) if path else None, "feeds": feeds}, indent=2))
    elif path:
        click.echo(f"Advisories are in {path}")
    return 1 if any(item.state == "failed" for item in outcomes) else 0


@command.command("import")
@click.option("-key", "key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Its maker's public key.")
@flag("older", "Take a file that is older than the one here.")
@click.argument("file", type=click.Path(path_type=Path))
def import_(file: Path, key: Path | None, older: bool) -> int:
    """Take a file from another host

    The signed statement must be beside FILE. A key that is given with -key is trusted from then on.
    """
    with _store().take(file, key, older=older) as database:
        click.echo(f"{database.digest} counts from now on, {_days(int(time.time()) - database.built_s)} old.")
    return 0


@command.command("export")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def export(directory: Path) -> int:
    """Write the file for another host

    DIRECTORY gets the file, its signed statement and this host's public key.
    """
    path = _store().give(directory)
    click.echo(f"{path}\nThere: goldsmith advisories import -key advisories.pub {path.name}")
    return 0


@command.command("status")
@flag("json", "Tell it as JSON.")
def status(json: bool) -> int:
    """Show the feeds, and how old they are"""
    now_s = int(time.time())
    with _store().open() as database:
        feeds = database.feeds(now_s)
        if json:
            click.echo(dumps(_as_data(database, feeds), indent=2))
            return 0
        click.echo(f"{database.digest}, {database.path.stat().st_size // 1000} kB, {_days(now_s - database.built_s)} old")
        for feed in feeds:
            what = f"{feed.id} ({feed.eco})" if feed.eco else feed.id
            click.echo(f"  {what:<44} {feed.records:>8} records  {_days(feed.age_s)}")
    return 0


def _store() -> Store:
    from goldsmith.gates.advisories.store import Store
    from goldsmith.project import advisories_directory

    return Store(advisories_directory())


def _chosen(only: tuple[str, ...]) -> tuple[Feed, ...]:
    from goldsmith.gates.advisories.feeds import FEEDS
    from goldsmith.hcl.diagnostics import did_you_mean

    by_id = {feed.id: feed for feed in FEEDS}
    names = [name for text in only for name in text.split(",") if name]
    for name in names:
        if name not in by_id:
            hint = did_you_mean(name, by_id) or f"Feeds are: {', '.join(by_id)}."
            raise click.UsageError(f'There is no feed "{name}". {hint}')
    return tuple(by_id[name] for name in dict.fromkeys(names)) if names else FEEDS


def _tell(outcome: Outcome) -> None:
    if outcome.state == "failed":
        kept = f"its {outcome.records} old records stay" if outcome.records else "there are none of before"
        click.echo(f"{outcome.feed}: {outcome.why}; {kept}", err=True)
    else:
        click.echo(f"{outcome.feed}: {outcome.records} records{', unchanged' if outcome.state == 'unchanged' else ''}")


def _as_data(database: Database, feeds: tuple[FeedUsed, ...]) -> dict[str, object]:
    names = ("id", "eco", "name", "url", "published_s", "fetched_s", "age_s", "records", "sha256", "complete")
    return {
        "file": str(database.path),
        "digest": database.digest,
        "built_s": database.built_s,
        "feeds": [{name: getattr(feed, name) for name in names} for feed in feeds],
    }


def _days(seconds: int) -> str:
    if seconds < 0:
        return "age unknown"
    return f"{seconds // 3600} h" if seconds < 3 * 24 * 3600 else f"{seconds // (24 * 3600)} days"
