"""`fix`: each fixer by a known answer, the form of the output, and fixing twice changes nothing more."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.hcl import SourceFile, UserError
from goldsmith.template.fixes import FIXERS, fix


def fixed(root: dict[str, object]) -> dict[str, object]:
    result = json.loads(fix(SourceFile("t.json", json.dumps(root))))
    assert isinstance(result, dict)
    return result


BUILDERS = [
    ({"type": "x", "iso_md5": "1"}, {"type": "x", "iso_checksum": "md5:1"}),
    ({"type": "x", "iso_checksum": "1", "iso_checksum_type": "sha256"}, {"type": "x", "iso_checksum": "sha256:1"}),
    ({"type": "x", "iso_checksum": "1", "iso_checksum_url": "u"}, {"type": "x", "iso_checksum": "file:u"}),
    ({"type": "x", "iso_checksum_type": "none"}, {"type": "x"}),
    ({"type": "x", "ami_name": "a {{ .CreateTime }}"}, {"type": "x", "ami_name": "a {{timestamp}}"}),
    ({"type": "virtualbox", "guest_additions_attach": True}, {"type": "virtualbox-iso", "guest_additions_mode": "attach"}),
    ({"type": "virtualbox", "guest_additions_attach": False}, {"type": "virtualbox-iso", "guest_additions_mode": "upload"}),
    ({"type": "virtualbox-ovf", "guest_additions_attach": True}, {"type": "virtualbox-ovf", "guest_additions_attach": True}),
    ({"type": "vmware"}, {"type": "vmware-iso"}),
    ({"type": "parallels-iso", "headless": True}, {"type": "parallels-iso"}),
    (
        {"type": "parallels-pvm", "parallels_tools_host_path": "p", "guest_os_distribution": "d"},
        {"type": "parallels-pvm", "guest_os_type": "d"},
    ),
    ({"type": "x", "ssh_key_path": "k"}, {"type": "x", "ssh_private_key_file": "k"}),
    ({"type": "x", "ssh_key_path": "k", "ssh_private_key_file": "f"}, {"type": "x", "ssh_private_key_file": "f"}),
    ({"type": "x", "ssh_disable_agent": True}, {"type": "x", "ssh_disable_agent_forwarding": True}),
    ({"type": "x", "ssh_disable_agent": "yes"}, {"type": "x", "ssh_disable_agent": "yes"}),
    ({"type": "scaleway", "access_key": "k"}, {"type": "scaleway", "organization_id": "k"}),
    ({"type": "amazon-ebs", "shutdown_behaviour": "stop"}, {"type": "amazon-ebs", "shutdown_behavior": "stop"}),
    ({"type": "amazon-ebs", "enhanced_networking": True}, {"type": "amazon-ebs", "ena_support": True}),
    ({"type": "amazon-ebs", "ssh_private_ip": "true"}, {"type": "amazon-ebs", "ssh_interface": "private_ip"}),
    ({"type": "amazon-ebs", "ssh_private_ip": False}, {"type": "amazon-ebs", "ssh_interface": "public_ip"}),
    (
        {"type": "amazon-ebs", "temporary_security_group_source_cidr": "c"},
        {"type": "amazon-ebs", "temporary_security_group_source_cidrs": ["c"]},
    ),
    ({"type": "amazon-ebs", "spot_price_auto_product": "x"}, {"type": "amazon-ebs"}),
    ({"type": "amazon-chroot", "spot_price_auto_product": "x"}, {"type": "amazon-chroot", "spot_price_auto_product": "x"}),
    (
        {"type": "vmware-iso", "remote_type": "esx5"},
        {"type": "vmware-iso", "remote_type": "esx5", "disk_type_id": "zeroedthick", "skip_compaction": True},
    ),
    (
        {"type": "vmware-iso", "remote_type": "esx5", "disk_type_id": "thin"},
        {"type": "vmware-iso", "remote_type": "esx5", "disk_type_id": "thin"},
    ),
    ({"type": "hyperv-iso", "vhd_temp_path": "p", "cpu": 2, "ram_size": 1}, {"type": "hyperv-iso", "cpus": 2, "memory": 1}),
    ({"type": "hyperv-vmcx", "clone_from_vmxc_path": "p"}, {"type": "hyperv-vmcx", "clone_from_vmcx_path": "p"}),
    (
        {"type": "x", "image": "{{clean_image_name `a`}}", "tags": {"k": "{{clean_ami_name `a`}}"}},
        {"type": "x", "image": "{{clean_resource_name `a`}}", "tags": {"k": "{{clean_resource_name `a`}}"}},
    ),
    ({"type": "qemu", "disk_size": 40960, "ssh_host_port_min": 1}, {"type": "qemu", "disk_size": "40960M", "host_port_min": 1}),
    (
        {"type": "virtualbox-iso", "ssh_host_port_min": 1, "ssh_host_port_max": 2, "ssh_skip_nat_mapping": True},
        {"type": "virtualbox-iso", "host_port_min": 1, "host_port_max": 2, "skip_nat_mapping": True},
    ),
    ({"type": "x", "ssh_wait_timeout": "5m"}, {"type": "x", "ssh_timeout": "5m"}),
    ({"type": "x", "ssh_wait_timeout": "5m", "ssh_timeout": "6m"}, {"type": "x", "ssh_timeout": "6m"}),
    (
        {"type": "vsphere-iso", "network": "n", "networkCard": "c", "disk_size": 1, "storage": [{"disk_size": 2}]},
        {
            "type": "vsphere-iso",
            "network_adapters": [{"network": "n", "network_card": "c"}],
            "storage": [{"disk_size": 1}, {"disk_size": 2}],
        },
    ),
    (
        {"type": "azure-chroot", "shared_image_destination": {"exlude_from_latest": True}},
        {"type": "azure-chroot", "shared_image_destination": {"exclude_from_latest": True}},
    ),
    ({"type": "proxmox"}, {"type": "proxmox-iso"}),
]


@pytest.mark.parametrize(("builder", "wanted"), BUILDERS)
def test_a_builder_is_brought_up_to_date(builder: dict[str, object], wanted: dict[str, object]) -> None:
    assert fixed({"builders": [builder]}) == {"builders": [wanted]}


@pytest.mark.parametrize(
    ("provisioner", "wanted"),
    [
        (
            {"type": "powershell", "elevated_user": "a`$b", "elevated_password": "``", "environment_vars": ["A=`'`\"x`n"]},
            {"type": "powershell", "elevated_user": "a$b", "elevated_password": "`", "environment_vars": ["A='\"x`n"]},
        ),
        ({"type": "ansible-local", "galaxycommand": "g"}, {"type": "ansible-local", "galaxy_command": "g"}),
        ({"type": "shell", "override": {"virtualbox": {"a": 1}}}, {"type": "shell", "override": {"virtualbox-iso": {"a": 1}}}),
    ],
)
def test_a_provisioner_is_brought_up_to_date(provisioner: dict[str, object], wanted: dict[str, object]) -> None:
    assert fixed({"builders": [], "provisioners": [provisioner]})["provisioners"] == [wanted]


@pytest.mark.parametrize(
    ("link", "wanted"),
    [
        ({"type": "vagrant", "aws": {"a": 1}, "x": 2}, {"type": "vagrant", "override": {"aws": {"a": 1}}, "x": 2}),
        ({"type": "manifest", "filename": "f"}, {"type": "manifest", "output": "f"}),
        ({"type": "docker-import", "login_email": "e"}, {"type": "docker-import"}),
        ({"type": "docker-tag", "tag": "a, b", "tags": ["b", "c"]}, {"type": "docker-tag", "tags": ["a", "b", "c"]}),
    ],
)
def test_a_post_processor_is_brought_up_to_date_in_a_chain_too(link: dict[str, object], wanted: dict[str, object]) -> None:
    chains = ["compress", link, ["checksum", link]]

    assert fixed({"builders": [], "post-processors": chains})["post-processors"] == ["compress", wanted, ["checksum", wanted]]


def test_the_output_has_packers_form() -> None:
    text = '{"builders": [{"type": "x", "n": [1, 1.50, 1e21, 1e-7, 48000000], "e": {}, "t": "<a> & é\\u2028\\u0001"}]}'

    assert fix(SourceFile("t.json", text)) == (
        '{\n  "builders": [\n    {\n      "e": {},\n      "n": [\n        1,\n        1.5,\n        1e+21,\n        1e-7,\n'
        '        48000000\n      ],\n      "t": "<a> \\u0026 é\\u2028\\u0001",\n      "type": "x"\n    }\n  ]\n}\n'
    )


def test_missing_builders_are_null_and_a_lone_provisioner_becomes_a_list() -> None:
    assert fixed({"provisioners": {"type": "shell"}}) == {"builders": None, "provisioners": [{"type": "shell"}]}


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"builders": {}}',
        '{"x": 1e999}',
        '{"builders": ["x"]}',
        '{"post-processors": 1}',
        '{"builders": [{"type": "amazon-ebs", "ssh_private_ip": "maybe"}]}',
        '{"builders": [{"type": "vsphere-iso", "network": "x", "network_adapters": 1}]}',
        '{"post-processors": [{"type": "docker-tag", "tags": [1]}]}',
    ],
)
def test_what_cannot_be_fixed_is_told(text: str) -> None:
    with pytest.raises(UserError):
        fix(SourceFile("t.json", text))


def test_the_fixers_are_packers_in_its_order() -> None:
    names = [fixer.name for fixer in FIXERS]

    assert len(names) == len(set(names)) == 34
    assert names[0] == "iso-md5" and names[-1] == "proxmox-type"
    assert names.index("iso-md5") < names.index("iso-checksum-type-and-url")


PARTS = st.sampled_from([builder for builder, _ in BUILDERS])
VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
MIXED = st.builds(lambda a, b, value: {**a, **dict.fromkeys(b, value), "type": a["type"]}, PARTS, PARTS, VALUES)


@given(st.lists(MIXED, max_size=3))
def test_fixing_again_changes_nothing_more(builders: list[dict[str, object]]) -> None:
    try:
        once = fix(SourceFile("t.json", json.dumps({"builders": builders})))
    except UserError as error:
        assert error.diagnostics[0].what.startswith("Error fixing: ")
        return

    assert fix(SourceFile("t.json", once)) == once
