"""From source and build blocks to planned builds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from goldsmith.components import Context
from goldsmith.template import Build, Plan
from tests.template.template_doubles import MockConfig, MockProvisioner, NestedConfig, Tag
from tests.template.template_workplace import Say, Workplace

SOURCE = 'source "mock" "a" {}\n'


def config_of(use: object, context: Context) -> MockConfig:
    from goldsmith.template import PostProcessorUse, ProvisionerUse, SourceUse

    assert isinstance(use, SourceUse | ProvisionerUse | PostProcessorUse)
    config = use.config(context)
    assert isinstance(config, MockConfig)
    return config


def names(plan: Plan) -> list[str]:
    return [build.full_name for build in plan.builds]


def only(plan: Plan) -> Build:
    assert not plan.failed
    (build,) = plan.builds
    return build


# ── sources ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_builds_come_in_order_and_carry_all_their_names(workplace: Workplace) -> None:
    plan = workplace.plan("""
source "mock" "a" {}
source "mock" "b" {}
build {
  name    = "first"
  source "mock.a" { name = "other" }
  sources = ["source.mock.b", "mock.a"]
}
build { sources = ["sources.mock.a"] }
""")
    assert names(plan) == ["first.mock.b", "first.mock.a", "first.mock.other", "mock.a"]
    assert [build.source_name for build in plan.builds] == ["b", "a", "a", "a"]
    assert {build.type for build in plan.builds} == {"mock"}


def test_a_build_adds_to_its_source(workplace: Workplace, context: Context) -> None:
    plan = workplace.plan("""
source "mock" "a" {
  string = "from the source of ${source.name}"
  tag { key = "one" }
}
build {
  source "mock.a" {
    name         = "local"
    not_squashed = "${source.type}.${source.name}"
    tag { key = "two" }
  }
}
""")
    config = config_of(only(plan).source, context)
    assert config.string == "from the source of local"
    assert config.not_squashed == "mock.local"
    assert [tag.key for tag in config.tag] == ["one", "two"]


def test_a_build_may_not_change_what_its_source_says(workplace: Workplace, whats: Say) -> None:
    faults = workplace.faults('source "mock" "a" { string = "x" }\nbuild {\n source "mock.a" { string = "y" }\n}')
    assert whats(faults) == ["Duplicate argument"]
    assert ":1,21" in faults[0].why


def test_an_unused_source_is_not_examined(workplace: Workplace) -> None:
    plan = workplace.plan(SOURCE + 'source "nothing" "b" { bad = nope.nope }\nbuild { sources = ["mock.a"] }')
    assert names(plan) == ["mock.a"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('build { sources = ["a"] }', "Invalid source reference"),
        ('build { sources = ["mock.b"] }', "Unknown source mock.b"),
        ("build {}", "missing source reference"),
        ('source "mok" "b" {}\nbuild { sources = ["mok.b"] }', "Unknown source type mok"),
        (SOURCE, "Duplicate source block"),
        ("", "Missing build block"),
        ('build {\n source "mock.a" { name = var.x }\n}', ""),
        ('build {\n source "mock.a" { nam = "x" }\n}', 'Unsupported argument "nam"'),
        ('build {\n sources = ["mock.a"]\n provisoner "mock" {}\n}', 'Unsupported block type "provisoner"'),
        ('build {\n sources = ["mock.a"]\n provisioner {}\n}', "Missing type for provisioner"),
        ('build {\n sources = ["mock.a"]\n provisioner "mock" "x" {}\n}', "Extraneous label for provisioner"),
        ('build {\n sources = ["mock.a"]\n provisioner "mok" {}\n}', 'Unknown provisioner type "mok"'),
        ('build {\n sources = ["mock.a"]\n post-processor "mok" {}\n}', 'Unknown post-processor type "mok"'),
        (
            'build {\n sources = ["mock.a"]\n error-cleanup-provisioner "mok" {}\n}',
            'Unknown error-cleanup-provisioner type "mok"',
        ),
        ('build {\n sources = ["mock.a"]\n provisioner "mock" { strin = "x" }\n}', 'Unsupported argument "strin"'),
        ('build {\n sources = ["mock.a"]\n provisioner "mock" { string = build.Nope }\n}', "Unsupported attribute"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(workplace: Workplace, text: str, what: str) -> None:
    faults = workplace.faults(SOURCE + text)
    assert any(item.what.startswith(what) for item in faults), faults
    assert all(item.where is not None for item in faults) or what == "Missing build block"


# ── meta-attributes ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_meta_attributes_are_read_and_kept_from_the_component(workplace: Workplace, context: Context) -> None:
    plan = workplace.plan("""
source "mock" "a" {}
build {
  name    = "b"
  sources = ["mock.a"]
  provisioner "mock" {
    name              = "named ${build.name}"
    pause_before      = "1m30s"
    timeout           = "${2 + 3}s"
    max_retries       = 2
    continue_on_error = true
    string            = "kept"
  }
  error-cleanup-provisioner "mock" { string = "clean" }
  post-processor "mock" { keep_input_artifact = false }
  post-processor "mock" {}
}
""")
    build = only(plan)
    (use,) = build.provisioners
    assert (use.name, use.pause_before, use.timeout, use.max_retries) == ("named b", 90.0, 5.0, 2)
    assert use.continue_on_error
    assert config_of(use, context) == MockConfig(string="kept")
    assert isinstance(use.component(), MockProvisioner)
    assert build.cleanup is not None and config_of(build.cleanup, context).string == "clean"
    assert [chain[0].keep_input_artifact for chain in build.chains] == [False, None]


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ('pause_before = "10"', "Failed to parse pause_before duration"),
        ('timeout = "soon"', "Failed to parse timeout duration"),
        ('only = ["mock.a"]\n except = ["mock.a"]', "only one of 'only' or 'except' may be specified"),
        ("only = [source.name]", "Unknown name in 'only' or 'except'"),
        ('override = "x"', "provisioner's override block must be an HCL object"),
        ('override = { a = "x" }', "provisioner's override.'a' block must be an HCL object"),
        ('max_retries = "many"', "Incorrect attribute value"),
    ],
)
def test_bad_meta_attributes_are_refused(workplace: Workplace, whats: Say, body: str, what: str) -> None:
    faults = workplace.faults(SOURCE + f'build {{\n sources = ["mock.a"]\n provisioner "mock" {{\n {body}\n }}\n}}')
    assert what in whats(faults)


def test_only_one_clean_up_provisioner_is_allowed(workplace: Workplace, whats: Say) -> None:
    block = 'error-cleanup-provisioner "mock" {}\n'
    faults = workplace.faults(SOURCE + f'build {{\n sources = ["mock.a"]\n {block}{block}}}')
    assert whats(faults) == ["Only one error-cleanup-provisioner is allowed"]


def test_only_and_except_compare_local_names(workplace: Workplace, context: Context) -> None:
    plan = workplace.plan("""
source "mock" "a" {}
build {
  sources = ["mock.a"]
  source "mock.a" { name = "other" }
  provisioner "mock" {
    only   = ["mock.other"]
    string = "other only"
  }
  provisioner "mock" {
    except = ["mock.other"]
    string = "not other"
  }
  post-processor "mock" { only = ["mock.a"] }
}
""")
    told = {build.full_name: [config_of(use, context).string for use in build.provisioners] for build in plan.builds}
    assert told == {"mock.a": ["not other"], "mock.other": ["other only"]}
    assert [len(build.chains) for build in plan.builds] == [1, 0]


def test_a_name_that_no_source_has_gets_a_warning(workplace: Workplace) -> None:
    text = SOURCE + 'build {\n sources = ["mock.a"]\n provisioner "mock" { only = ["a"] }\n}'
    (warning,) = workplace.plan(text).warnings
    assert warning.what == '"only" names "a", which is no source of this build'
    assert warning.next == "Known: [mock.a]."


def test_override_replaces_settings_for_one_source(workplace: Workplace, context: Context) -> None:
    plan = workplace.plan("""
source "mock" "a" {}
source "mock" "b" {}
build {
  sources = ["mock.a", "mock.b"]
  provisioner "mock" {
    string       = "own"
    slice_string = ["kept"]
    override = {
      b = { string = "other", int = "7" }
    }
  }
}
""")
    first, second = (config_of(build.provisioners[0], context) for build in plan.builds)
    assert first == MockConfig(string="own", slice_string=("kept",))
    assert second == MockConfig(string="other", slice_string=("kept",), int=7)


# ── values of the moment ──────────────────────────────────────────────────────────────────────────────────────────────


def test_build_values_are_placeholders_before_and_real_while_it_runs(workplace: Workplace, context: Context) -> None:
    plan = workplace.plan("""
source "mock" "a" {}
build {
  name    = "b"
  sources = ["mock.a"]
  provisioner "mock" {
    string       = "${build.name} ${upper(build.ID)} ${build.MockID} ${source.name}"
    slice_string = ["{{ build_name }}", "{{ build_type }}", "{{ upper `x` }}"]
  }
}
""")
    (use,) = only(plan).provisioners
    assert config_of(use, context).string == "b <UNKNOWN> <unknown> a"
    running = replace(context, generated={"ID": "i-123", "MockID": "m"})
    assert config_of(use, running).string == "b I-123 m a"
    assert config_of(use, running).slice_string == ("a", "mock", "X")


def test_a_template_that_cannot_be_rendered_fails_its_build(workplace: Workplace) -> None:
    (fault,) = workplace.faults(SOURCE + 'build {\n sources = ["mock.a"]\n provisioner "mock" { string = "{{ nosuch }}" }\n}')
    assert 'attribute "string"' in fault.why
    assert "nosuch" in fault.why


def test_a_build_that_cannot_be_prepared_is_left_out_and_the_others_stay(workplace: Workplace) -> None:
    plan = workplace.plan("""
source "mock" "a" { string = "refuse" }
source "mock" "b" {}
build { sources = ["mock.a", "mock.b"] }
""")
    assert names(plan) == ["mock.b"]
    ((name, error),) = plan.failed
    assert name == "mock.a"
    assert error.diagnostics[0].code == "mock.refused"
    assert error.diagnostics[0].where is not None and error.diagnostics[0].where.start.line == 2


# ── post-processors and selection ─────────────────────────────────────────────────────────────────────────────────────

CHAINS = """
source "mock" "a" {}
source "mock" "b" {}
build {
  name    = "x"
  sources = ["mock.a", "mock.b"]
  post-processor "mock" { name = "alone" }
  post-processors {
    post-processor "mock" { name = "one" }
    post-processor "mock" { name = "two" }
    post-processor "mock" { name = "three" }
  }
}
"""


def test_post_processors_make_chains(workplace: Workplace) -> None:
    build = workplace.plan(CHAINS).builds[0]
    assert [[use.name for use in chain] for chain in build.chains] == [["alone"], ["one", "two", "three"]]


def test_except_cuts_a_chain(workplace: Workplace) -> None:
    plan = workplace.plan(CHAINS, except_=("two",))
    assert not plan.warnings
    assert [[use.name for use in chain] for chain in plan.builds[0].chains] == [["alone"], ["one"]]
    assert not workplace.plan(CHAINS, except_=("one", "al*")).builds[0].chains


def test_builds_are_selected_by_full_names(workplace: Workplace, whats: Say) -> None:
    assert names(workplace.plan(CHAINS, only=("*.a",))) == ["x.mock.a"]
    assert names(workplace.plan(CHAINS, except_=("x.mock.a",))) == ["x.mock.b"]
    faults = workplace.faults(CHAINS, only=("mock.a",))
    assert [item.code for item in faults] == ["template.only", "template.no-builds"]
    assert "x.mock.a, x.mock.b" in faults[1].next


def test_a_component_that_no_selected_build_uses_need_not_be_installed(workplace: Workplace) -> None:
    text = SOURCE + 'source "exotic" "b" {}\nbuild { sources = ["mock.a", "exotic.b"] }'
    assert names(workplace.plan(text, only=("mock.*",))) == ["mock.a"]


# ── dynamic ───────────────────────────────────────────────────────────────────────────────────────────────────────────


DYNAMIC = """
locals {
  tags = { Component = "user-service", Environment = "production" }
}
source "mock" "a" {
  dynamic "tag" {
    for_each = local.tags
    content {
      key   = tag.key
      value = tag.value
    }
  }
}
build {
  dynamic "source" {
    for_each = ["x", "y"]
    labels   = ["mock.a"]
    content {
      name   = source.value
      string = "source ${source.key}"
    }
  }
  dynamic "provisioner" {
    for_each = ["p", "q"]
    iterator = step
    labels   = ["mock"]
    content {
      name   = step.value
      string = "${step.value} on ${source.name}"
      dynamic "nested_slice" {
        for_each = [1, 2]
        content { string = "${step.value}${nested_slice.value}" }
      }
    }
  }
  post-processors {
    dynamic "post-processor" {
      for_each = ["r"]
      labels   = ["mock"]
      content { string = post-processor.value }
    }
  }
}
"""


def test_dynamic_makes_sources_provisioners_post_processors_and_nested_blocks(workplace: Workplace, context: Context) -> None:
    plan = workplace.plan(DYNAMIC)

    assert names(plan) == ["mock.x", "mock.y"]
    build = plan.builds[1]
    source = config_of(build.source, context)
    assert source.string == "source 1"
    assert source.tag == (Tag(key="Component", value="user-service"), Tag(key="Environment", value="production"))
    steps = [config_of(use, context) for use in build.provisioners]
    assert [use.name for use in build.provisioners] == ["p", "q"]
    assert [step.string for step in steps] == ["p on y", "q on y"]
    assert steps[1].nested_slice == (NestedConfig(string="q1"), NestedConfig(string="q2"))
    assert config_of(build.chains[0][0], context).string == "r"


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ('content { key = "x" }', "Missing required argument"),
        ("for_each = [1]", "Missing content block"),
        ('for_each = "x"\n content { key = "x" }', "Invalid dynamic for_each value"),
        ('for_each = null\n content { key = "x" }', "Invalid dynamic for_each value"),
        ('for_each = [1]\n iterator = a.b\n content { key = "x" }', "Invalid expression for iterator"),
        ('for_each = [1]\n labels = "x"\n content { key = "x" }', "Invalid dynamic block labels"),
        ('for_each = [1]\n labels = ["x"]\n content { key = "x" }', "Extraneous dynamic block label"),
        ("for_each = [1]\n content { key = tag.nope }", "Unsupported attribute"),
    ],
)
def test_a_bad_dynamic_block_is_refused(workplace: Workplace, body: str, what: str) -> None:
    faults = workplace.faults(f'source "mock" "a" {{\n dynamic "tag" {{\n {body}\n }}\n}}\nbuild {{ sources = ["mock.a"] }}')
    assert any(item.what.startswith(what) for item in faults), faults


def test_dynamic_over_what_is_not_known_yet_makes_one_block(workplace: Workplace, context: Context) -> None:
    text = """
data "mock" "d" {}
source "mock" "a" {
  dynamic "tag" {
    for_each = data.mock.d.names
    content { key = tag.value }
  }
}
build { sources = ["mock.a"] }
"""
    plan = workplace.plan(text, evaluate_data=False)
    assert config_of(only(plan).source, context).tag == (Tag(key="<unknown>"),)


# ── registry ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_hcp_registry_is_checked(workplace: Workplace, whats: Say) -> None:
    plan = workplace.plan(SOURCE + 'build {\n sources = ["mock.a"]\n hcp_packer_registry { bucket_name = "abc" }\n}')
    assert whats(plan.warnings) == ["Build block level hcp_packer_registry are deprecated"]
    wrong = SOURCE + 'build { sources = ["mock.a"] }\nhcp_packer_registry { bucket_name = "a!" }\nhcp_packer_registry {}'
    assert set(whats(workplace.faults(wrong))) >= {
        "bucket_name is not a valid name",
        "Multiple HCP Packer registry block declaration",
    }


REGISTRY = """
variable "owner" { default = "ops" }
variable "token" {
  default   = "hush-hush"
  sensitive = true
}
hcp_packer_registry {
  bucket_name   = "web-server"
  description   = "With nginx."
  bucket_labels = { os = "debian", owner = var.owner }
  build_labels  = { "build time" = "now", secret = "x-${var.token}" }
}
"""


def test_what_an_hcp_registry_says_goes_with_the_plan_but_for_secrets(workplace: Workplace) -> None:
    plan = workplace.plan(SOURCE + REGISTRY + 'build {\n sources = ["mock.a"]\n}')

    told = plan.registry
    assert told is not None
    assert (told.bucket_name, told.description) == ("web-server", "With nginx.")
    assert told.bucket_labels == {"os": "debian", "owner": "ops"}
    assert told.build_labels == {"build time": "now", "secret": "<sensitive>"}
    assert plan.warnings == ()


@pytest.mark.parametrize(
    ("attribute", "what"),
    [
        ('bucket_name = "ab"', "bucket_name is not a valid name"),
        ('bucket_name = "' + "a" * 37 + '"', "bucket_name is not a valid name"),
        ('description = "' + "a" * 256 + '"', "description is too long"),
        ('bucket_labels = { a = "b" }\n labels = { a = "b" }', 'Only one of "bucket_labels" and "labels" can be specified'),
        ("colour = 1", 'Unsupported argument "colour"'),
    ],
)
def test_a_wrong_hcp_registry_is_refused(workplace: Workplace, whats: Say, attribute: str, what: str) -> None:
    text = f"{SOURCE}hcp_packer_registry {{\n {attribute}\n}}\n" + 'build {\n sources = ["mock.a"]\n}'

    assert whats(workplace.faults(text)) == [what]


def test_channels_of_an_hcp_registry_are_left_to_promotion(workplace: Workplace, whats: Say) -> None:
    text = SOURCE + 'hcp_packer_registry {\n channels = ["prod"]\n}\nbuild {\n sources = ["mock.a"]\n}'

    (warning,) = workplace.plan(text).warnings

    assert warning.what == "channels of hcp_packer_registry are not assigned"
    assert "goldsmith promote" in warning.next


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('source "mock" "b" {\n string = build.name\n}\nbuild {\n sources = ["mock.b"]\n}', "Unsupported attribute"),
        ('source "mock" "b" {\n string = source.nam\n}\nbuild {\n sources = ["mock.b"]\n}', "Unsupported attribute"),
        ('locals {\n a = build.ID\n}\nbuild {\n sources = ["mock.a"]\n}', "Unsupported attribute"),
        (
            'build {\n sources = ["mock.a"]\n provisioner "mock" {\n  only = [build.ID]\n }\n}',
            "Unsupported attribute",
        ),
        ('build {\n sources = ["mock.1a"]\n}', "Invalid source reference"),
        ('build {\n sources = ["mock.a b"]\n}', "Invalid source reference"),
    ],
)
def test_names_that_no_run_can_tell_are_refused_where_they_stand(
    workplace: Workplace, whats: Say, text: str, what: str
) -> None:
    assert whats(workplace.faults(SOURCE + text)) == [what]


def test_unknown_names_are_told_together_with_faults_in_values(workplace: Workplace, whats: Say) -> None:
    text = 'source "mock" "a" {\n string = var.missing\n strin = 1\n tag {\n  kee = 2\n }\n}\nbuild { sources = ["mock.a"] }'

    told = whats(workplace.faults(text))

    assert [item for item in told if item.startswith("Unsupported")] == [
        "Unsupported attribute",
        'Unsupported argument "strin"',
        'Unsupported argument "kee"',
    ]
