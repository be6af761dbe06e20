"""A SCAP data stream with three rules about files, as ComplianceAsCode names them."""

from __future__ import annotations

from pathlib import Path

_RULES = {
    "sshd_disable_root_login": ("/etc/ssh/sshd_config.d/50-a.conf", "^PermitRootLogin no$"),
    "file_cron_allow_exists": ("/etc/cron.allow", "^root$"),
    "sudo_add_use_pty": ("/etc/sudoers", "^Defaults never$"),
}
"""By rule: a file, and a line that it must have. The last one asks for what no sudoers has."""

_HEAD = """<?xml version="1.0"?>
<ds:data-stream-collection xmlns:ds="http://scap.nist.gov/schema/scap/source/1.2" id="scap_t_collection_a"
  xmlns:cat="urn:oasis:names:tc:entity:xmlns:xml:catalog" xmlns:xlink="http://www.w3.org/1999/xlink" schematron-version="1.2">
<ds:data-stream id="scap_t_datastream_a" scap-version="1.2" use-case="OTHER">
 <ds:checklists><ds:component-ref id="scap_t_cref_x" xlink:href="#scap_t_comp_x">
  <cat:catalog><cat:uri name="o.xml" uri="#scap_t_cref_o"/></cat:catalog></ds:component-ref></ds:checklists>
 <ds:checks><ds:component-ref id="scap_t_cref_o" xlink:href="#scap_t_comp_o"/></ds:checks>
</ds:data-stream>
<ds:component id="scap_t_comp_x" timestamp="2026-01-01T00:00:00">
<Benchmark xmlns="http://checklists.nist.gov/xccdf/1.2" id="xccdf_t_benchmark_a"><status>draft</status><title>t</title>
<version>1</version>
"""
_OVAL = """<ds:component id="scap_t_comp_o" timestamp="2026-01-01T00:00:00">
<oval_definitions xmlns="http://oval.mitre.org/XMLSchema/oval-definitions-5" xmlns:oval="http://oval.mitre.org/XMLSchema/oval-common-5"
 xmlns:ind="http://oval.mitre.org/XMLSchema/oval-definitions-5#independent">
<generator><oval:schema_version>5.11</oval:schema_version><oval:timestamp>2026-01-01T00:00:00</oval:timestamp></generator>
"""


def write_content(path: Path, *, selected: bool = True) -> Path:
    """Write the data stream; its rules are selected without a profile, or not at all."""
    chosen = "true" if selected else "false"
    rules = "".join(
        f'<Rule id="xccdf_t_rule_{name}" selected="{chosen}" severity="medium"><title>{name}</title>'
        f'<check system="http://oval.mitre.org/XMLSchema/oval-definitions-5">'
        f'<check-content-ref href="o.xml" name="oval:t:def:{number}"/></check></Rule>\n'
        for number, name in enumerate(_RULES, 1)
    )
    definitions = "".join(
        f'<definition class="compliance" id="oval:t:def:{number}" version="1"><metadata><title>t</title>'
        f"<description>t</description></metadata>"
        f'<criteria><criterion test_ref="oval:t:tst:{number}"/></criteria></definition>\n'
        for number in range(1, len(_RULES) + 1)
    )
    tests = "".join(
        f'<ind:textfilecontent54_test check="all" check_existence="at_least_one_exists" comment="t" id="oval:t:tst:{number}" '
        f'version="1"><ind:object object_ref="oval:t:obj:{number}"/></ind:textfilecontent54_test>\n'
        for number in range(1, len(_RULES) + 1)
    )
    objects = "".join(
        f'<ind:textfilecontent54_object id="oval:t:obj:{number}" version="1"><ind:filepath>{file}</ind:filepath>'
        f'<ind:pattern operation="pattern match">{line}</ind:pattern><ind:instance datatype="int">1</ind:instance>'
        f"</ind:textfilecontent54_object>\n"
        for number, (file, line) in enumerate(_RULES.values(), 1)
    )
    path.write_text(
        f"{_HEAD}{rules}</Benchmark></ds:component>\n{_OVAL}<definitions>{definitions}</definitions><tests>{tests}</tests>"
        f"<objects>{objects}</objects></oval_definitions></ds:component></ds:data-stream-collection>\n"
    )
    return path
