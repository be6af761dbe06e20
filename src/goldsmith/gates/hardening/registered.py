"""The probes by the names that controls use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import TypeAlias

from goldsmith.gates.contract import Declared
from goldsmith.gates.hardening.boot_facts import BootFacts
from goldsmith.gates.hardening.probes import accounts, booted, files, kernel, pam, ssh, sudo, system
from goldsmith.gates.hardening.scene import Arguments, Fault, Probe

_MODULES: tuple[tuple[ModuleType, str], ...] = (
    (files, "absent present no_file_named core_files empty_directories modes allow_lists machine_id neutral_hostname"),
    (files, "world_writable unowned privileged unmodified recorded"),
    (accounts, "no_builder root_locked no_password one_root unique shadowed service_shells homes empty_group login_defs"),
    (accounts, "shell_timeout"),
    (ssh, "sshd sshd_startups sshd_algorithms sshd_allow_list sshd_banner"),
    (kernel, "sysctl modules_off command_line"),
    (pam, "pam_without pam_modules"),
    (sudo, "sudo_defaults sudo_without"),
    (system, "packages_absent services_allowed unit_enabled own_units_confined no_secret_in_units no_autologin ini"),
    (system, "archives_signed apt_settings supported pending_updates stable_devices mounts content"),
)
PROBES: Mapping[str, Probe] = {name: getattr(module, name) for module, names in _MODULES for name in names.split()}

CloneProbe: TypeAlias = Callable[[BootFacts, Arguments, Declared], Iterable[Fault]]
ClonesProbe: TypeAlias = Callable[[Sequence[BootFacts], Arguments, Declared], Iterable[Fault]]

_BOOTED = (
    "booted_sysctl booted_mounts not_loaded modprobe_refuses sockets_declared no_failed_unit host_keys_made ssh_offers "
    "time_in_sync kernel_locked core_limit audit_runs access_control started_with firewall_denies"
)
CLONE_PROBES: Mapping[str, CloneProbe] = {name: getattr(booted, name) for name in _BOOTED.split()}
"""Probes that are put to each booted clone."""

CLONES_PROBES: Mapping[str, ClonesProbe] = {
    "clones_differ": booted.clones_differ,
    "second_boot_changes_nothing": booted.second_boot_changes_nothing,
}
"""Probes that see all clones at once."""
