"""Probes of services, archives, logs and mounts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from goldsmith.events import ignore
from goldsmith.gates.advisories.support import published_end_s
from goldsmith.gates.hardening.probes.kernel import drop_ins
from goldsmith.gates.hardening.scene import Arguments, Fault, NotEvaluated, Scene, holds
from goldsmith.gates.inventory import Stack, read_distribution
from goldsmith.gates.patches import Patches, PatchesConfig
from goldsmith.gates.waivers import day_of
from goldsmith.machines.cancellation import Cancellation

UNIT_PLACES = ("etc/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")
_SECRET = re.compile(r"(?i)\b\w*(password|passwd|secret|token|api_?key|private_key)\w*=(?!\s|$|['\"]?\$)")


def packages_absent(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """None of `packages` is installed."""
    for pattern in arguments.texts("packages"):
        for name in sorted(name for name in scene.packages if fnmatchcase(name, pattern)):
            yield Fault(f"the package {name} is installed")


def enabled_units(scene: Scene) -> dict[str, str]:
    """Names of units that start at boot, and the link that says so."""
    found: dict[str, str] = {}
    for kind in ("wants", "requires", "upholds"):
        for path in scene.tree.glob(f"etc/systemd/system/*.{kind}/*"):
            found.setdefault(path.rpartition("/")[2], path)
    # What has only a script of System V is started by systemd's generator for it.
    for path in scene.tree.glob("etc/rc[2-5].d/S[0-9][0-9]*"):
        unit = f"{path.rpartition('/')[2][3:]}.service"
        if not any(scene.tree.has(f"{place}/{unit}") for place in UNIT_PLACES):
            found.setdefault(unit, path)
    return found


def is_masked(scene: Scene, unit: str) -> bool:
    """Whether a unit is a link to nothing."""
    path = f"etc/systemd/system/{unit}"
    return scene.tree.has(path) and scene.tree.text(path) in (None, "")


def services_allowed(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """Only declared services and those of the list are enabled."""
    declared = scene.subject.declared.services
    allowed = {*arguments.texts("allowed"), *scene.wishes.services, *declared}
    for unit, path in sorted(enabled_units(scene).items()):
        if not is_masked(scene, unit) and not any(fnmatchcase(unit, pattern) for pattern in allowed):
            yield Fault(f"{unit} is enabled, and neither declared nor on the list", path)


def unit_enabled(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """One of `any_of` is enabled and not masked."""
    enabled = enabled_units(scene)
    names = arguments.texts("any_of")
    if not any(name in enabled and not is_masked(scene, name) for name in names):
        yield Fault(f"none of {', '.join(names)} is enabled", "etc/systemd/system")


def own_units(scene: Scene) -> Iterator[str]:
    """Service files that an administrator put in place: no links, and with a command."""
    for path in scene.tree.glob("etc/systemd/system/*.service"):
        if scene.tree.real(path) == path:
            yield path


def unit_settings(scene: Scene, path: str) -> dict[str, list[tuple[str, str, int]]]:
    """Values with file and line by name, the unit's drop-ins after it."""
    found: dict[str, list[tuple[str, str, int]]] = {}
    for part in [path, *scene.tree.glob(f"{path}.d/*.conf")]:
        for number, line in scene.lines(part):
            name, equals, value = line.partition("=")
            if equals:
                found.setdefault(name.strip(), []).append((value.strip(), part, number))
    return found


def own_units_confined(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """Each own unit has at least `least` of the confining `settings`; DynamicUser brings several."""
    names = set(arguments.texts("settings"))
    for path in own_units(scene):
        settings = unit_settings(scene, path)
        on = {name for name, values in settings.items() if values[-1][0].lower() not in ("", "no", "false", "0")}
        if "DynamicUser" in on:
            on |= {"User", "NoNewPrivileges", "ProtectSystem", "ProtectHome", "PrivateTmp", "RestrictSUIDSGID"}
        if "ExecStart" in settings and len(on & names) < arguments.number("least"):
            told = f"{len(on & names)} confining settings, at least {arguments.number('least')} are wanted"
            yield Fault(f"{path.rpartition('/')[2]} has {told}", path)


def no_secret_in_units(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """No own unit gives a secret in `Environment=`."""
    for path in [*own_units(scene), *scene.tree.glob("etc/systemd/system/*.d/*.conf")]:
        for number, line in scene.lines(path):
            if line.startswith("Environment=") and _SECRET.search(line[12:]):
                yield Fault("a secret stands in Environment=", path, number)


def no_autologin(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """No getty logs somebody in by itself."""
    for path in [*scene.tree.glob("etc/systemd/system/*getty*"), *scene.tree.glob("etc/systemd/system/*getty*.d/*.conf")]:
        for number, line in scene.lines(path):
            if line.startswith("ExecStart=") and re.search(r"(--autologin|\s-a)\b", line):
                yield Fault("the console logs somebody in without asking", path, number)


def ini(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """Effective settings of a systemd daemon: its file, then its drop-ins by name; the last one counts."""
    name = arguments.text("file")
    places = tuple(f"{place}/{name}.d" for place in ("etc/systemd", "run/systemd", "usr/local/lib/systemd", "usr/lib/systemd"))
    found: dict[str, tuple[str, str, int]] = {}
    main = next((path for place in places if scene.tree.has(path := place.removesuffix(".d"))), "")
    for path in [main, *drop_ins(scene, places)]:
        for number, line in scene.lines(path):
            key, equals, value = line.partition("=")
            if equals:
                found[key.strip()] = (value.strip(), path, number)
    for key, wanted in arguments.table("values").items():
        value, path, number = found.get(key, ("", f"etc/systemd/{name}", 0))
        met = bool(value) if wanted == "set" else holds(value, wanted)
        if not met:
            yield Fault(f"{key} is {value or 'not set'}, {wanted} is wanted", path, number)


def archives_signed(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """No source of packages goes without signature, and apt is not told to accept such."""
    for path in ["etc/apt/sources.list", *scene.tree.glob("etc/apt/sources.list.d/*")]:
        for number, line in scene.lines(path):
            if re.search(r"(?i)trusted\s*[=:]\s*(yes|true|1)|allow-insecure\s*[=:]\s*(yes|true|1)", line):
                yield Fault("an archive is trusted without signature", path, number)
    for path in apt_configuration(scene):
        for number, line in scene.lines(path):
            wanted = r"(?i)(AllowUnauthenticated|AllowInsecureRepositories|AllowDowngradeToInsecureRepositories)\W+(true|1|yes)"
            if re.search(wanted, line):
                yield Fault("apt accepts packages without signature", path, number)
    if scene.tree.text("etc/apt/trusted.gpg"):
        yield Fault("a key for every archive stands in /etc/apt/trusted.gpg", "etc/apt/trusted.gpg")


def apt_configuration(scene: Scene) -> list[str]:
    """The files of apt.conf(5) in their order."""
    return [*scene.tree.glob("etc/apt/apt.conf.d/*"), *scene.tree.glob("etc/apt/apt.conf")]


def apt_settings(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """Settings of apt by their full names."""
    text = "\n".join(line for path in apt_configuration(scene) for _, line in scene.lines(path))
    for name, wanted in arguments.table("values").items():
        match = re.findall(rf'{re.escape(name)}\s+"([^"]*)"', text)
        if not match or not holds(match[-1], wanted):
            yield Fault(f"{name} is {match[-1] if match else 'not set'}, {wanted} is wanted", "etc/apt/apt.conf.d")


def supported(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """The distribution's release gets security updates today, by the table that the advisories go by."""
    distribution = read_distribution(Stack([scene.subject.tree]))
    end_s = published_end_s(distribution)
    if not end_s:
        raise NotEvaluated(f"no end of the support of {distribution.id} {distribution.release} is published")
    if not scene.subject.now_s:
        raise NotEvaluated("the time of the examination is not known")
    if scene.subject.now_s >= end_s:
        yield Fault(f"{distribution.name} gets no security update since {day_of(end_s)}", "etc/os-release")


def pending_updates(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """No security update is pending, by the facts of the gate `patches`."""
    if scene.subject.lists is None or scene.subject.keyring is None:
        raise NotEvaluated("no signed index of the archive is here: the gate patches tells")
    facts = Patches().examine(scene.subject, PatchesConfig(), ignore, Cancellation())
    if facts.errors or any(floor.got < floor.wanted for floor in facts.floors):
        raise NotEvaluated(
            f"the gate patches could not tell: {'; '.join(facts.messages) or 'the indexes are of another image'}"
        )
    for finding in facts.findings:
        if finding.rule == "security-update":
            yield Fault(f"{finding.subject}: {finding.detail}")


def fstab(scene: Scene) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and fields of the mounts in /etc/fstab."""
    for number, line in scene.lines("etc/fstab"):
        fields = line.split()
        if len(fields) >= 4:
            yield number, fields


def stable_devices(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """Disks in /etc/fstab are named by UUID or label, never by their order."""
    for number, fields in fstab(scene):
        if re.match(r"/dev/(sd|vd|xvd|hd|nvme|mmcblk)", fields[0]):
            yield Fault(f"{fields[0]} is another disk on another machine", "etc/fstab", number)


def mounts(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """Each of `paths` is a mount of its own with all of `options`, by /etc/fstab or a mount unit."""
    found = {fields[1]: set(fields[3].split(",")) for _, fields in fstab(scene)}
    for path in arguments.texts("paths"):
        unit = path.strip("/").replace("-", "\\x2d").replace("/", "-") + ".mount"
        for place in UNIT_PLACES:
            settings = unit_settings(scene, f"{place}/{unit}")
            if "Where" in settings and path not in found and (place.startswith("etc") or unit in enabled_units(scene)):
                found[path] = set(",".join(value for value, _, _ in settings.get("Options", [])).split(","))
        missing = set(arguments.texts("options")) - found.get(path, set())
        if path not in found:
            yield Fault(f"{path} is no mount of its own", "etc/fstab")
        elif missing:
            yield Fault(f"{path} is mounted without {', '.join(sorted(missing))}", "etc/fstab")


def content(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """A line in one of `paths` fits the expression `has`."""
    expression = re.compile(arguments.text("has"))
    paths = [path for pattern in arguments.texts("paths") for path in scene.tree.glob(pattern)]
    if not any(expression.search(line) for path in paths for _, line in scene.lines(path)):
        yield Fault(f"no line in {', '.join('/' + path for path in arguments.texts('paths'))} fits {expression.pattern}")
