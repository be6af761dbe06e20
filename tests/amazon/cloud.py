"""A cloud for tests: a moto server behind a strict front, with real instances, and faults at any call.

The front answers what moto gets wrong or lacks (AMIs, snapshots, client tokens, Session Manager, system tags), hands the rest
on, counts the calls, and fails those that a test wants to fail.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import threading
import xml.etree.ElementTree as Xml
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.amazon.ebs_direct import EbsDirect
from tests.amazon.ec2_images import Data, Images
from tests.amazon.ec2_wire import Refusal, read_request, write_answer, write_refusal
from tests.amazon.instances import SandboxInstance

FaultKind: TypeAlias = Literal["throttle", "error", "denied", "expired", "lost", "late"]
"""`lost` acts and hangs up without an answer; the others do not act."""
_REFUSALS: Mapping[str, Refusal] = {
    "throttle": Refusal("RequestLimitExceeded", "Request limit exceeded.", 503),
    "error": Refusal("InternalError", "An internal error has occurred", 500),
    "expired": Refusal("RequestExpired", "Request has expired.", 400),
}
ACCOUNT_ARN = "arn:aws:iam::123456789012:user/ci"
ENDS = {"StopInstances": "stop", "TerminateInstances": "destroy"}


@dataclass(frozen=True)
class Call:
    """One call that arrived."""

    service: str
    region: str
    action: str
    request: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass
class Reply:
    """An HTTP answer."""

    status: int
    body: bytes
    headers: Sequence[tuple[str, str]] = (("Content-Type", "text/xml"),)


class Cloud:
    """A context manager. `fault` is asked before each call, with the call and its number."""

    def __init__(self, moto: str, lower: Path | None = None, homes: Path | None = None) -> None:
        self.moto = moto
        self.images = Images(self._instance)
        self.ebs = EbsDirect(self.images)
        self.calls: list[Call] = []
        self.fault: Callable[[Call, int], FaultKind | Refusal | None] = lambda call, number: None
        self.instances: dict[str, SandboxInstance] = {}
        self._reasons: dict[str, tuple[str, str]] = {}
        """Why instances ended, where moto would tell that the user did it."""
        self.windows_password = ""
        """What instances of Windows make for their administrator; empty while they have not."""
        self.windows_address = ""
        """Where all instances are, when they are Windows."""
        self.sessions: list[str] = []
        self._lower, self._homes = lower, homes
        self._keys: dict[str, str] = {}
        self._answers: dict[tuple[str, str, str], bytes] = {}
        self._started: dict[tuple[str, str], list[str]] = {}
        """The instances of a client token or of a launch template, by the name of the filter."""
        self._clients: dict[tuple[str, str, bool], Any] = {}
        self._lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Cloud:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        for instance in self.instances.values():
            instance.stop()

    def client(self, service: str, region: str = "us-east-1", *, behind: bool = False) -> Any:
        """boto3's client, through the front or directly of moto."""
        key = (service, region, behind)
        if key not in self._clients:
            import boto3

            address = self.moto if behind else self.address
            self._clients[key] = boto3.client(service, endpoint_url=address, region_name=region)
        return self._clients[key]

    def end(self, instance_id: str, code: str, message: str) -> None:
        """An instance ends, and not because anybody asked for it."""
        region = next(call.region for call in self.calls if call.action in ("RunInstances", "CreateFleet"))
        self._reasons[instance_id] = (code, message)
        if instance_id in self.instances:
            self.instances.pop(instance_id).destroy()
        self.client("ec2", region, behind=True).terminate_instances(InstanceIds=[instance_id])

    def left(self) -> dict[str, list[str]]:
        """Everything that exists and costs or confuses, by kind, of all regions that were used."""
        found: dict[str, list[str]] = {}
        for region in {call.region for call in self.calls} | {"us-east-1"}:
            for kind, names in self._left_in(region).items():
                found.setdefault(kind, []).extend(f"{region}:{name}" for name in names)
        return {kind: sorted(names) for kind, names in found.items() if names}

    def _left_in(self, region: str) -> dict[str, list[str]]:
        ec2, iam, home = self.client("ec2", region, behind=True), self.client("iam", behind=True), self.images.region(region)
        groups = [group["GroupName"] for group in ec2.describe_security_groups()["SecurityGroups"]]
        reservations = ec2.describe_instances()["Reservations"]
        states = [
            (item["InstanceId"], item["State"]["Name"]) for reservation in reservations for item in reservation["Instances"]
        ]
        return {
            "image": [name for name, image in home.images.items() if "SourceInstanceId" in image or "SourceImageId" in image],
            "instance": [name for name, state in states if state not in ("terminated", "shutting-down")],
            "key": [item["KeyName"] for item in ec2.describe_key_pairs()["KeyPairs"]],
            "group": [name for name in groups if name.startswith("packer")],
            "template": [item["LaunchTemplateName"] for item in ec2.describe_launch_templates()["LaunchTemplates"]],
            "snapshot": [name for name, item in home.snapshots.items() if item["Description"] != "published"],
            "profile": [item["InstanceProfileName"] for item in iam.list_instance_profiles()["InstanceProfiles"]],
            "role": [item["RoleName"] for item in iam.list_roles()["Roles"] if item["RoleName"].startswith("packer")],
        }

    # ── answering ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply | None:
        """The answer to a request; None hangs up without one."""
        region, service = _scope(headers)
        call = self._call(service, region, method, path, headers, body)
        with self._lock:
            self.calls.append(call)
            number = len(self.calls) - 1
        fault = self.fault(call, number)
        if fault is not None and fault not in ("lost", "late"):
            return _refused(fault, call)
        try:
            reply = self._act(call, method, path, headers, body)
        except Refusal as refusal:
            reply = Reply(refusal.status, write_refusal(refusal))
        return None if fault == "lost" else reply

    def _call(self, service: str, region: str, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Call:
        if service == "ec2":
            return Call(service, region, *read_request(body.decode()))
        if service == "ebs":
            return Call(service, region, self.ebs.action(method, path))
        if "X-Amz-Target" in headers:
            return Call(service, region, headers["X-Amz-Target"].rpartition(".")[2])
        return Call(service, region, parse_qs(body.decode()).get("Action", [""])[0])

    def _act(self, call: Call, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        if call.service == "ebs":
            return Reply(*self.ebs.answer(call.region, method, path, headers, body))
        if call.service == "ssm" and call.action in ("StartSession", "TerminateSession"):
            return self._session(call.action, json.loads(body))
        if call.service != "ec2":
            return self._behind(method, path, headers, body)
        token = str(call.request.get("ClientToken", ""))
        with self._lock:
            known = self._answers.get((call.region, call.action, token))
            if token and known is not None:
                return Reply(200, known)
            reply = self._ec2(call, path, headers, body)
            if token and reply.status == 200:
                self._answers[call.region, call.action, token] = reply.body
            return reply

    def _ec2(self, call: Call, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        request = dict(call.request)
        answer = self.images.answer(call.region, call.action, request)
        if answer is not None:
            return Reply(200, write_answer(call.action, answer))
        self._before(call, request)
        if call.action == "GetPasswordData":
            return Reply(200, write_answer(call.action, {"PasswordData": self._password(call, request["InstanceId"])}))
        if call.action == "DescribeInstances":
            body = self._by_origin(request, body)
        reply = self._behind("POST", path, headers, body)
        if reply.status == 200:
            reply.body = self._after(call, request, reply.body)
        return reply

    def _before(self, call: Call, request: Data) -> None:
        """What moto does not look at."""
        if call.action == "RunInstances":
            image = request["ImageId"]
            known = image in self.images.region(call.region).images
            if not known and not self.client("ec2", call.region, behind=True).describe_images(ImageIds=[image])["Images"]:
                raise Refusal("InvalidAMIID.NotFound", f"The image id '[{image}]' does not exist")
        for instance_id in request.get("InstanceIds", []):
            if call.action in ENDS and instance_id in self.instances:
                getattr(self.instances[instance_id], ENDS[call.action])()
                if call.action == "TerminateInstances":
                    del self.instances[instance_id]

    def _after(self, call: Call, request: Data, answer: bytes) -> bytes:
        text = answer.decode()
        if call.action == "CreateKeyPair":
            self._keep_key(request["KeyName"], text)
        if call.action == "RunInstances":
            ids = re.findall(r"<instanceId>(i-\w+)</instanceId>", text)
            self._started["client-token", str(request.get("ClientToken", ""))] = ids
            self._start(ids, request.get("KeyName", ""))
        if call.action == "CreateFleet":
            self._start_fleet(call, request, re.findall(r"<item>(i-\w+)</item>", text))
        if call.action == "DescribeInstances":
            text = self._told(text)
        return text.encode()

    def _password(self, call: Call, instance_id: str) -> str:
        """The password as EC2 gives it: for the holder of the instance's key pair alone."""
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.hazmat.primitives.serialization import load_ssh_public_key

        ec2 = self.client("ec2", call.region, behind=True)
        instance = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
        key = load_ssh_public_key(self._keys[instance["KeyName"]].encode())
        assert isinstance(key, RSAPublicKey)
        return (
            base64.b64encode(key.encrypt(self.windows_password.encode(), PKCS1v15())).decode() if self.windows_password else ""
        )

    def _keep_key(self, name: str, text: str) -> None:
        from goldsmith.machines.ssh import public_half

        found = re.search(r"<keyMaterial>(.*?)</keyMaterial>", text, re.DOTALL)
        assert found
        self._keys[name] = public_half(found[1].replace("&#10;", "\n"))

    def _start(self, ids: Sequence[str], key: str) -> None:
        if self._lower is None or self._homes is None:
            return
        for instance_id in ids:
            self.instances[instance_id] = SandboxInstance(self._lower, self._homes / instance_id, self._keys.get(key, ""))
            self.instances[instance_id].start()

    def _start_fleet(self, call: Call, request: Data, ids: list[str]) -> None:
        template = request["LaunchTemplateConfigs"][0]["LaunchTemplateSpecification"]["LaunchTemplateId"]
        self._started["tag:aws:ec2launchtemplate:id", template] = ids
        ec2 = self.client("ec2", call.region, behind=True)
        version = ec2.describe_launch_template_versions(LaunchTemplateId=template)["LaunchTemplateVersions"][0]
        self._start(ids, version["LaunchTemplateData"].get("KeyName", ""))

    def _by_origin(self, request: Data, body: bytes) -> bytes:
        """Filters by what started an instance, which moto does not have."""
        for item in request.get("Filters", []):
            names = [(item["Name"], value) for value in item["Values"]]
            if item["Name"] in ("client-token", "tag:aws:ec2launchtemplate:id"):
                ids = [one for name in names for one in self._started.get(name, [])] or ["i-none"]
                query = {"Action": "DescribeInstances", "Version": "2016-11-15", "Filter.1.Name": "instance-id"}
                query |= {f"Filter.1.Value.{number}": one for number, one in enumerate(ids, 1)}
                return urlencode(query).encode()
        return body

    def _told(self, text: str) -> str:
        """What moto tells of instances, with the addresses and the fates that they really have."""
        root = Xml.fromstring(text)
        Xml.register_namespace("", root.tag[1:].partition("}")[0])
        for item in root.iterfind(".//{*}item"):
            instance_id = item.findtext("{*}instanceId", "")
            if instance_id in self.instances:
                _set(item, "ipAddress", self.instances[instance_id].address)
                _set(item, "privateIpAddress", self.instances[instance_id].address)
            if instance_id and self.windows_address:
                _set(item, "ipAddress", self.windows_address)
                _set(item, "privateIpAddress", self.windows_address)
            if instance_id in self._reasons and item.find("{*}instanceState") is not None:
                code, message = self._reasons[instance_id]
                _set(item, "stateReason/code", code)
                _set(item, "stateReason/message", message)
        return Xml.tostring(root, encoding="unicode")

    def _session(self, action: str, request: Mapping[str, Any]) -> Reply:
        headers = (("Content-Type", "application/x-amz-json-1.1"),)
        if action == "TerminateSession":
            with suppress(ValueError):
                self.sessions.remove(request["SessionId"])
            return Reply(200, json.dumps({"SessionId": request["SessionId"]}).encode(), headers)
        target = self.instances[request["Target"]].address
        session = f"session-{len(self.sessions)}"
        self.sessions.append(session)
        answer = {"SessionId": session, "TokenValue": "token", "StreamUrl": f"wss://{target}"}
        return Reply(200, json.dumps(answer).encode(), headers)

    def _behind(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        place = urlsplit(self.moto)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
        try:
            kept = {name: value for name, value in headers.items() if name.lower() not in ("host", "content-length", "expect")}
            connection.request(method, path, body, kept)
            answer = connection.getresponse()
            told = [
                (name, value) for name, value in answer.getheaders() if name.lower() in ("content-type", "x-amzn-requestid")
            ]
            return Reply(answer.status, answer.read(), told)
        finally:
            connection.close()

    def _instance(self, region: str, instance_id: str) -> Data | None:
        ec2 = self.client("ec2", region, behind=True)
        with suppress(ec2.exceptions.ClientError):
            for reservation in ec2.describe_instances(InstanceIds=[instance_id])["Reservations"]:
                for instance in reservation["Instances"]:
                    for device in instance["BlockDeviceMappings"]:
                        volume = ec2.describe_volumes(VolumeIds=[device["Ebs"]["VolumeId"]])["Volumes"][0]
                        device["Ebs"] = {"VolumeSize": volume["Size"], "Encrypted": volume["Encrypted"]}
                    return dict(instance)
        return None


def _set(item: Xml.Element, path: str, text: str) -> None:
    for name in path.split("/"):
        found = item.find(f"{{*}}{name}")
        item = Xml.SubElement(item, item.tag.rpartition("}")[0] + "}" + name) if found is None else found
    item.text = text


def _scope(headers: Mapping[str, str]) -> tuple[str, str]:
    """Region and service, as the signature names them."""
    found = re.search(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/", headers.get("Authorization", ""))
    assert found, "a request without a signature"
    return found[1], found[2]


def _refused(fault: FaultKind | Refusal, call: Call) -> Reply:
    if isinstance(fault, Refusal):
        refusal = fault
    elif fault == "denied":
        action = f"{call.service}:{call.action}"
        why = (
            f"You are not authorized to perform this operation. User: {ACCOUNT_ARN} is not authorized to perform: {action} on "
        )
        why += (
            f"resource: arn:aws:{call.service}:{call.region}:123456789012:thing/* because no identity-based policy allows the "
        )
        refusal = Refusal("UnauthorizedOperation", f"{why}{action} action. Encoded authorization failure message: abc", 403)
    else:
        refusal = _REFUSALS[fault]
    if call.service in ("ebs", "ssm"):
        body = json.dumps({"__type": refusal.code, "message": refusal.message}).encode()
        return Reply(refusal.status, body, (("Content-Type", "application/json"), ("x-amzn-ErrorType", refusal.code)))
    return Reply(refusal.status, write_refusal(refusal))


def _handler(cloud: Cloud) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # One segment for each answer: otherwise the kernel waits 40 ms for the client's acknowledgement.
        wbufsize = -1
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            reply = cloud.answer(self.command, self.path, dict(self.headers.items()), body)
            if reply is None:
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = do_PUT = _serve

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
