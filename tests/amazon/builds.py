"""Builds of `amazon-ebs` without a machine: on an AMI that is there, with the communicator "none"."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from goldsmith.components import Context
from goldsmith.sources.amazon_ebs import AmazonEbs, AmazonEbsConfig
from tests.amazon.cloud import Cloud

HERE = "us-east-1"


def config(cloud: Cloud, **settings: Any) -> AmazonEbsConfig:
    """A build of nothing on an AMI that is there."""
    source = settings.get("source_ami") or cloud.images.publish(HERE, "base", tags={"Release": "12"})
    usual = AmazonEbsConfig(ami_name="golden", instance_type="t3.micro", source_ami=source, communicator="none")
    return replace(usual, **settings)


def build(config: AmazonEbsConfig, context: Context) -> dict[str, str]:
    """The AMIs by region."""
    artifact = AmazonEbs().run(config, context, lambda machine, generated: None)
    return dict(part.split(":") for part in artifact.id.split(",")) if artifact.id else {}
