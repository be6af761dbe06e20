"""The probes by the names that controls use."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from goldsmith.gates.hardening.probes import accounts, files, kernel, pam, ssh, sudo, system
from goldsmith.gates.hardening.scene import Probe

_MODULES: tuple[tuple[ModuleType, str], ...] = (
    (files, "absent present no_file_named core_files empty_directories modes machine_id neutral_hostname world_writable"),
    (files, "unowned privileged unmodified recorded"),
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
