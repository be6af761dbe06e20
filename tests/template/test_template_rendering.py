"""The functions of Packer's `{{ }}`."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from goldsmith.components import Context
from goldsmith.packer_templates import check, render


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("no braces", "no braces"),
        ("{{build_name}}-{{build_type}}", "a-mock"),
        ("{{timestamp}}", "1700000000"),
        ("{{isotime}}", "2023-11-14T22:13:20Z"),
        ('{{isotime "2006-01-02"}}', "2023-11-14"),
        ('{{strftime "%Y-%m"}}', "2023-11"),
        ('{{split "a-b" "-" 1}}', "b"),
        ("{{upper `a`}}{{lower `B`}}", "Ab"),
        ('{{replace "a" "x" 1 "aaa"}}', "xaa"),
        ('{{replace_all "a" "x" "aaa"}}', "xxx"),
        ("{{packer_version}}", "1.16.0"),
        ("{{ .Path }} {{ .Vars }}", "/tmp/script.sh A=1"),
        ("{{ .Foo }}", "<no value>"),
        ("{{ build `ID` }}", "i-1"),
        ("{{ `{{ build_name }}` }}", "a"),
        ('{{split "abc" "" 1}}{{split "a-b" "-" 1.0}}', "bb"),
        ("{{upper `ß`}}", "ß"),
        ('{{strftime "%%|%Q|%L|%"}}', "%|%Q|.000|%"),
    ],
)
def test_templates_render_as_in_packer(context: Context, template: str, text: str) -> None:
    running = replace(context, generated={"ID": "i-1"})
    assert render(template, running, {"Path": "/tmp/script.sh", "Vars": "A=1"}) == text


def test_the_working_directory_and_a_new_uuid_can_be_had(context: Context) -> None:
    assert render("{{pwd}}", context, {}) == str(context.cwd)
    assert re.fullmatch(r"[0-9a-f-]{36}", render("{{uuid}}", context, {}))


@pytest.mark.parametrize(
    "template",
    [
        "{{user `x`}}",
        "{{env `X`}}",
        "{{template_dir}}",
        "{{vault `a` `b`}}",
        "{{upper 1}}",
        '{{split "a-b" "-" "1"}}',
        '{{isotime "2006" "x"}}',
        "{{clean_resource_name `a`}}",
        "{{sed `a` `b`}}",
        "{{nosuch}}",
        "{{upper}}",
        "{{upper `a` `b`}}",
        "{{replace `a` `b` `c` `d`}}",
        "{{ .Foo",
        "{{ build `ID` }}",
        '{{split "a" "-" 1}}',
        '{{ "{{" }}x}}',
    ],
)
def test_what_packer_refuses_is_refused(context: Context, template: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        render(template, context, {})


@pytest.mark.parametrize(
    ("type", "name", "cleaned"),
    [
        ("amazon-ebs", "web:1.0 é", "web-1.0 --"),
        ("azure-arm", "web:1.0_" + "x" * 90, "web-1.0_" + "x" * 72),
        ("azure-arm", "web...", "web"),
        ("googlecompute", "-Web 1.0-", "web-1-0"),
    ],
)
def test_a_name_is_cleaned_for_the_cloud_that_it_is_for(context: Context, type: str, name: str, cleaned: str) -> None:
    assert render(f"{{{{clean_resource_name `{name}`}}}}", replace(context, type=type), {}) == cleaned


def test_rendering_that_never_ends_is_refused(context: Context) -> None:
    with pytest.raises(ValueError, match="does not come to an end"):
        render("{{ .Loop }}", context, {"Loop": "x{{ .Loop }}"})


def test_a_field_that_is_rendered_later_is_checked_now() -> None:
    check("{{ .Path }} {{ build `ID` }} {{ user `x` }}")
    for template in ("{{ .Path", "{{ nosuch }}"):
        with pytest.raises(ValueError, match=r"\w"):
            check(template)
