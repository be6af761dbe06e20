"""Compiles what a project file says of retention into the rules that the registry decides by, and the places to look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.project.declarations import FeedUse, InventoryConfig, TerraformUse
from goldsmith.project.project import Project, seconds

if TYPE_CHECKING:
    from goldsmith.registry import Cloud, Limits, Reading, Registry, RetentionPolicy, Source


def expiry_policy(project: Project) -> RetentionPolicy:
    """The retention policy of a project; an image that no block speaks of is kept. Raises `UserError` for no duration."""
    from goldsmith.registry import KeepRule, RetentionPolicy

    general = project.retention
    images = {}
    for name, image in project.images.items():
        own = image.config
        if own.keep_last or own.keep_for or own.retain_at_least:
            images[name] = KeepRule(
                keep_last=own.keep_last or (general.keep_last if general else 0),
                keep_for_s=seconds(own.keep_for or (general.keep_for if general else "0s")),
                retain_at_least=own.retain_at_least or (general.retain_at_least if general else 0),
            )
    channels = {
        name: KeepRule(keep_last=own.keep_last, keep_for_s=seconds(own.keep_for or "0s"), retain_at_least=own.retain_at_least)
        for name, own in project.channels.items()
    }
    if general is None:
        return RetentionPolicy(images=images, channels=channels, others=frozenset())
    return RetentionPolicy(
        images=images,
        channels=channels,
        others=frozenset(project.images),
        enabled=general.enabled,
        keep_last=general.keep_last,
        keep_for_s=seconds(general.keep_for),
        retain_at_least=general.retain_at_least,
        grace_s=seconds(general.grace),
        disabled_s=seconds(general.disabled),
    )


def read_inventories(
    project: Project, registry: Registry, feeds: Sequence[Path] = (), smaller: Sequence[str] = ()
) -> tuple[Reading, ...]:
    """Look at every place that the project names, and read the feeds. `smaller` are the sources that may have shrunk.

    What could not be seen is in the readings. Raises `UserError` for a name in `smaller` that is no source.
    """
    from goldsmith.hcl.diagnostics import Diagnostic, UserError, did_you_mean

    for name in smaller:
        if name not in project.inventories:
            next = did_you_mean(name, project.inventories) or f"It has: {', '.join(project.inventories) or 'none'}."
            what = f'there is no inventory "{name}" in {project.path.name}'
            raise UserError(Diagnostic(code="project.unknown-inventory", what=what, next=next))
    known = registry.copied_ids()
    sources = [*_sources(project, smaller), *_feeds(feeds)]
    return tuple(reading for source in sources for reading in source.read(known))


def clouds(project: Project, readings: Sequence[Reading]) -> dict[tuple[str, str, str], Cloud]:
    """Who takes copies away from the places that were looked at."""
    from goldsmith.registry.aws_images import AwsImages
    from goldsmith.registry.inventory import AwsSource

    sources = {source.name: source for source in _sources(project, ()) if isinstance(source, AwsSource)}
    return {
        (place.platform, place.account, place.region): AwsImages(sources[place.source].access_in(place.region))
        for place in (reading.place for reading in readings)
        if place.source in sources
    }


def _sources(project: Project, smaller: Sequence[str]) -> Iterator[Source]:
    for name, config in project.inventories.items():
        yield _source(project, name, config, _limits(config, smaller=name in smaller))


def _feeds(feeds: Sequence[Path]) -> Iterator[Source]:
    from goldsmith.registry.inventory import FeedSource

    for path in feeds:
        yield FeedSource(where=str(path))


def _limits(config: InventoryConfig, *, smaller: bool) -> Limits:
    from goldsmith.registry import Limits

    return Limits(
        max_age_s=int(config.max_age),
        minimum=config.minimum,
        at_least_percent=round(config.at_least * 100),
        accepts_smaller=smaller,
    )


def _source(project: Project, name: str, config: InventoryConfig, limits: Limits) -> Source:
    from goldsmith.registry.inventory import AwsSource, LibvirtSource

    if config.aws is not None:
        aws = config.aws
        return AwsSource(name=name, access=aws, regions=aws.regions, account=aws.account, limits=limits)
    if config.libvirt is not None:
        hosts = config.libvirt
        return LibvirtSource(name=name, uris=hosts.uris, files=hosts.files, root=project.root, limits=limits)
    document = config.terraform or config.feed
    assert document is not None
    return _document_source(project, name, document, limits)


def _document_source(project: Project, name: str, config: TerraformUse | FeedUse, limits: Limits) -> Source:
    from goldsmith.registry.inventory import FeedSource, TerraformSource

    if isinstance(config, TerraformUse):
        return TerraformSource(name=name, states=config.states, root=project.root, limits=limits, access=config.aws)
    where = config.from_ if "://" in config.from_ else str(project.root / config.from_)
    return FeedSource(name=name, where=where, limits=limits, access=config.aws)
