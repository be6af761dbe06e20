"""Package URLs of installed packages."""

from __future__ import annotations

from goldsmith.gates.inventory.package import Distribution, Package

_OF_DISTRIBUTION = ("deb", "rpm", "apk")


def package_url(package: Package, distribution: Distribution) -> str:
    """The purl, with architecture, distribution and epoch of what a distribution made (purl-spec: deb, rpm, apk)."""
    from packageurl import PackageURL

    if package.kind not in _OF_DISTRIBUTION:
        namespace, _, name = package.name.rpartition(":" if package.kind == "maven" else "/")
        return PackageURL(package.kind, namespace or None, name, package.version).to_string()
    epoch, _, version = package.version.rpartition(":") if package.kind == "rpm" else ("", "", package.version)
    qualifiers = {"arch": package.architecture, "distro": f"{distribution.id}-{distribution.release}", "epoch": epoch}
    given = {name: value for name, value in qualifiers.items() if value}
    return PackageURL(package.kind, distribution.id, package.name, version, given).to_string()
