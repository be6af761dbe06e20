"""The source `amazon-ebs` in a cloud without machines: what it asks for, what it makes, and that it leaves nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from goldsmith.components import Context
from goldsmith.events import Event, Output
from goldsmith.sources.amazon_ebs import AmazonEbs, AmazonEbsConfig
from tests.amazon.cloud import Cloud


def config(cloud: Cloud, **settings: Any) -> AmazonEbsConfig:
    """A build of nothing on an AMI that is there."""
    source = cloud.images.publish("us-east-1", "base")
    usual = AmazonEbsConfig(ami_name="golden", instance_type="t3.micro", source_ami=source, communicator="none")
    return replace(usual, **settings)


def build(config: AmazonEbsConfig, context: Context) -> dict[str, str]:
    artifact = AmazonEbs().run(config, context, lambda machine, generated: None)
    return dict(part.split(":") for part in artifact.id.split(",")) if artifact.id else {}


def said(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Output)]


def test_an_instance_becomes_an_ami_and_nothing_else_is_left(cloud: Cloud, context: Context, events: list[Event]) -> None:
    made = build(config(cloud, tags={"Name": "golden {{.SourceAMIName}}"}), context)

    image = cloud.images.region("us-east-1").images[made["us-east-1"]]
    left = cloud.left()
    assert image["Name"] == "golden"
    assert {"Key": "Name", "Value": "golden base"} in image["Tags"]
    assert left.keys() == {"image", "snapshot"}
    assert left["image"] == [f"us-east-1:{made['us-east-1']}"]
    assert "Creating AMI golden from instance" in "\n".join(said(events))
