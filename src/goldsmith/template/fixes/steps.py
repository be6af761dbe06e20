"""Fixers of provisioners and post-processors."""

from __future__ import annotations

import re

from goldsmith.template.fixes.change import refuse, rename, rename_unless_set
from goldsmith.template.fixes.document import Document, Settings

_ESCAPE = re.compile(r"`([$\"`'])")


def powershell_escapes(document: Document) -> None:
    """Packer escapes user names, passwords and environment variables for PowerShell: those of old are taken away."""
    for provisioner in document.provisioners("powershell"):
        for name in ("elevated_user", "elevated_password"):
            value = provisioner.get(name)
            if isinstance(value, str):
                provisioner[name] = _ESCAPE.sub(r"\1", value)
        variables = provisioner.get("environment_vars")
        if isinstance(variables, list) and all(isinstance(item, str) for item in variables):
            provisioner["environment_vars"] = [_ESCAPE.sub(r"\1", str(item)) for item in variables]


def galaxy_command(document: Document) -> None:
    """`galaxycommand` is `galaxy_command`."""
    for provisioner in document.provisioners("ansible-local"):
        rename_unless_set(provisioner, "galaxycommand", "galaxy_command", None if "galaxy_command" in provisioner else str)


def vagrant_override(document: Document) -> None:
    """Settings by provider are gathered in `override`."""
    for link in document.post_processors("vagrant"):
        override = {name: link.pop(name) for name in ("aws", "digitalocean", "virtualbox", "vmware") if name in link}
        if override:
            link["override"] = override


def manifest_filename(document: Document) -> None:
    """`filename` is `output`."""
    for link in document.post_processors("manifest"):
        rename(link, "filename", "output", str)


def docker_email(document: Document) -> None:
    """`login_email` is gone; without post-processors Packer does not look for it."""
    if document.root.get("post-processors") is not None:
        for settings in (*document.builders(), *document.post_processors()):
            settings.pop("login_email", None)


def docker_tags(document: Document) -> None:
    """`tag` is a list, `tags`, together with the tags that are there."""
    for link in document.post_processors("docker-tag"):
        tags = [*_tags(link, "tag"), *_tags(link, "tags")]
        link.pop("tag", None)
        link["tags"] = list(dict.fromkeys(tags))


def _tags(link: Settings, name: str) -> list[str]:
    value = link.get(name)
    if isinstance(value, str):
        return [tag.strip() for tag in value.split(",")]
    if not isinstance(value, list):
        return []
    if not all(isinstance(tag, str) for tag in value):
        raise refuse(f"{name} of docker-tag must hold strings")
    return [str(tag) for tag in value]
