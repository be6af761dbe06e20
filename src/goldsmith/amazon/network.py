"""Where the instance is put: VPC, subnet, zone and security groups."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from goldsmith.amazon.account import Account, wait_for
from goldsmith.amazon.api import Subnet, tag_specifications
from goldsmith.amazon.instance_settings import InstanceSettings, SubnetFilter
from goldsmith.amis import filters_of
from goldsmith.aws import Filter, error_code
from goldsmith.components import Context
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.scripts import say

ANYBODY = "0.0.0.0/0"
_CHECK_IP = "https://checkip.amazonaws.com"
_LONGEST_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Where the instance is put; what is empty is for EC2 to choose."""

    vpc_id: str = ""
    subnet_id: str = ""
    zone: str = ""


def find_network(config: InstanceSettings, account: Account, context: Context) -> Network:
    """The network that the settings mean. Raises `UserError` when filters match nothing, or several."""
    network = Network(vpc_id=config.vpc_id, subnet_id=config.subnet_id, zone=config.availability_zone)
    ec2 = account.ec2()
    if not network.vpc_id and config.vpc_filter is not None:
        filters = filters_of(config.vpc_filter.all_filters())
        with account.telling("Querying the VPC"):
            vpcs = ec2.describe_vpcs(Filters=filters)["Vpcs"]
        network = replace(network, vpc_id=_only("VPC", [vpc["VpcId"] for vpc in vpcs]))
        say(context, f"Found VPC ID: {network.vpc_id}")
    if not network.subnet_id and config.subnet_filter is not None:
        network = replace(network, subnet_id=_subnet(config.subnet_filter, network, account))
        say(context, f"Found Subnet ID: {network.subnet_id}")
    if network.subnet_id and not (network.vpc_id and network.zone):
        with account.telling("Querying the subnet"):
            subnets = ec2.describe_subnets(SubnetIds=[network.subnet_id])["Subnets"]
        for subnet in subnets:
            vpc, zone = network.vpc_id or subnet["VpcId"], network.zone or subnet["AvailabilityZone"]
            network = replace(network, vpc_id=vpc, zone=zone)
    return network


def _subnet(query: SubnetFilter, network: Network, account: Account) -> str:
    filters = {"state": "available", **query.all_filters()}
    if network.vpc_id:
        filters["vpc-id"] = network.vpc_id
    if network.zone:
        filters["availability-zone"] = network.zone
    with account.telling("Querying the subnet"):
        found = account.ec2().describe_subnets(Filters=filters_of(filters))["Subnets"]
    if len(found) > 1 and query.most_free:
        return max(found, key=_most_free)["SubnetId"]
    if len(found) > 1 and query.random:
        return random.choice(found)["SubnetId"]
    return _only("subnet", [subnet["SubnetId"] for subnet in found], " or set `most_free` or `random` to true")


def _most_free(subnet: Subnet) -> tuple[int, str]:
    return subnet["AvailableIpAddressCount"], subnet["SubnetId"]


def _only(what: str, found: Sequence[str], way: str = "") -> str:
    if len(found) == 1:
        return found[0]
    many = f"{len(found)} match: {', '.join(sorted(found)[:5])}"
    raise UserError(
        Diagnostic(
            code="amazon.filter",
            what=f"Your query returned more than one {what}" if found else f"No {what} was found matching filters",
            why=many if found else "",
            next=f"Please try a more specific search{way}." if found else "Check the filters and the region.",
        )
    )


def chosen_groups(config: InstanceSettings, account: Account, context: Context) -> tuple[str, ...]:
    """The security groups that the settings name; none when one is to be made."""
    given = config.security_group_ids or ((config.security_group_id,) if config.security_group_id else ())
    if given or config.security_group_filter is None:
        return given
    filters = filters_of(config.security_group_filter.all_filters())
    with account.telling("Querying the security group"):
        found = account.ec2().describe_security_groups(Filters=filters)["SecurityGroups"]
    if not found:
        _only("security group", ())
    say(context, f"Found Security Group(s): {', '.join(group['GroupId'] for group in found)}")
    return tuple(group["GroupId"] for group in found)


def make_group(name: str, port: int, vpc_id: str, tags: dict[str, str], sources: Sequence[str], account: Account) -> str:
    """Make a security group that lets `sources` (blocks of addresses) in to a port; nobody when the port is 0."""
    ec2 = account.ec2()
    request: dict[str, object] = {"GroupName": name, "Description": "Temporary group for Packer"}
    if vpc_id:
        request["VpcId"] = vpc_id
    if tags:
        request["TagSpecifications"] = tag_specifications({"security-group": tags})
    try:
        with account.telling("Creating temporary security group"):
            group = ec2.create_security_group(**request)["GroupId"]
    except UserError as error:
        # The name is ours alone: a call whose answer was lost has been made, and was tried again.
        if error_code(error) != "InvalidGroup.Duplicate":
            raise
        with account.telling("Querying the security group"):
            filters = [Filter(Name="group-name", Values=[name])]
            group = ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"]
    if port:
        _let_in(group, port, sources, account)
    return group


def _let_in(group: str, port: int, sources: Sequence[str], account: Account) -> None:
    permission: dict[str, object] = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
    permission["IpRanges"] = [{"CidrIp": source} for source in sources if ":" not in source]
    permission["Ipv6Ranges"] = [{"CidrIpv6": source} for source in sources if ":" in source]
    from goldsmith.machines.cancellation import Cancellation

    def allowed() -> bool | None:
        """True; None while EC2 does not know the new group everywhere."""
        try:
            with account.telling("Authorizing access in the temporary security group"):
                account.ec2().authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
        except UserError as error:
            if error_code(error) == "InvalidGroup.NotFound":
                return None
            if error_code(error) != "InvalidPermission.Duplicate":
                raise
        return True

    wait_for(allowed, f"the security group {group}", account.quick, Cancellation())


def group_sources(config: InstanceSettings) -> tuple[str, ...]:
    """Who may reach the instance, as blocks of addresses."""
    if config.temporary_security_group_source_public_ip:
        return (f"{_public_address()}/32",)
    if config.temporary_security_group_source_cidrs:
        return config.temporary_security_group_source_cidrs
    return ("::/0",) if config.ssh_interface == "ipv6" else (ANYBODY,)


def _public_address() -> str:
    import ipaddress

    import httpx2

    try:
        answer = httpx2.get(_CHECK_IP, timeout=_LONGEST_S)
        answer.raise_for_status()
        return str(ipaddress.ip_address(answer.text.strip()))
    except (httpx2.HTTPError, ValueError) as error:
        raise MachineError(
            Diagnostic(
                code="amazon.public-address",
                what="the public address of this host could not be found out",
                why=f"{_CHECK_IP}: {error}",
                next="Write temporary_security_group_source_cidrs instead.",
            )
        ) from error
