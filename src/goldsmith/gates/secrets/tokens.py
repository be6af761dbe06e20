"""Token formats: credentials that providers give a recognisable shape. The shapes are the providers' published ones."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re2

_BASE62 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Token:
    """A format of a credential."""

    rule: str
    detail: str
    keyword: bytes
    """Part of every token of the format: a quick test before the expression."""
    pattern: bytes
    checks: Callable[[bytes], bool] = bool
    """A checksum that the format carries; a match that fails it is no token."""


def _github_checksum(token: bytes) -> bool:
    """The last six characters are the CRC-32 of the random part in base 62 (GitHub, 2021)."""
    prefix, _, rest = token.partition(b"_")
    body, check = rest[:-6], rest[-6:]
    value, digits = zlib.crc32(body), b""
    for _ in range(6):
        value, digit = divmod(value, 62)
        digits = _BASE62[digit : digit + 1] + digits
    return digits == check and bool(prefix)


TOKENS = (
    Token("github-token", "a GitHub token", b"gh", rb"\bgh[pousr]_[A-Za-z0-9]{36}\b", _github_checksum),
    Token("github-fine-grained", "a GitHub token", b"github_pat_", rb"\bgithub_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b"),
    Token("gitlab-token", "a GitLab token", b"gl", rb"\bgl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas)-[A-Za-z0-9_-]{20,}"),
    Token("npm-token", "an npm token", b"npm_", rb"\bnpm_[A-Za-z0-9]{36}\b", _github_checksum),
    Token("pypi-token", "a PyPI token", b"pypi-", rb"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}"),
    Token("aws-access-key", "an AWS access key id", b"A", rb"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    Token("google-api-key", "a Google API key", b"AIza", rb"\bAIza[A-Za-z0-9_-]{35}\b"),
    Token("google-oauth", "a Google OAuth secret", b"GOCSPX-", rb"\bGOCSPX-[A-Za-z0-9_-]{28}\b"),
    Token(
        "google-service-account", "a Google service account key", b"private_key_id", rb'"private_key_id"\s*:\s*"[0-9a-f]{40}"'
    ),
    Token("azure-storage-key", "an Azure storage key", b"AccountKey=", rb"AccountKey=[A-Za-z0-9+/]{86}=="),
    Token("azure-client-secret", "an Azure client secret", b"8Q~", rb"\b[A-Za-z0-9_~.-]{3}8Q~[A-Za-z0-9_~.-]{34}\b"),
    Token("slack-token", "a Slack token", b"xox", rb"\bxox[abeoprs]-[0-9A-Za-z-]{20,}"),
    Token("slack-app-token", "a Slack app token", b"xapp-", rb"\bxapp-\d-[A-Z0-9]+-\d+-[a-f0-9]{30,}"),
    Token(
        "slack-webhook",
        "a Slack web hook",
        b"hooks.slack.com",
        rb"hooks\.slack\.com/services/T[A-Z0-9]{8,}/B[A-Z0-9]{8,}/[A-Za-z0-9]{20,}",
    ),
    Token("stripe-key", "a Stripe key", b"_live_", rb"\b[rs]k_live_[A-Za-z0-9]{20,}\b"),
    Token("twilio-key", "a Twilio key", b"SK", rb"\bSK[0-9a-f]{32}\b"),
    Token("sendgrid-key", "a SendGrid key", b"SG.", rb"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\b"),
    Token("mailgun-key", "a Mailgun key", b"key-", rb"\bkey-[0-9a-f]{32}\b"),
    Token("vault-token", "a Vault token", b"hv", rb"\bhv[sbr]\.[A-Za-z0-9_-]{24,}"),
    Token("terraform-token", "a Terraform Cloud token", b".atlasv1.", rb"\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,}"),
    Token("digitalocean-token", "a DigitalOcean token", b"do", rb"\bdo[opr]_v1_[a-f0-9]{64}\b"),
    Token(
        "hetzner-or-generic-jwt",
        "a signed web token",
        b"eyJ",
        rb"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}",
    ),
    Token("docker-hub-token", "a Docker Hub token", b"dckr_pat_", rb"\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{27,}"),
    Token("anthropic-key", "an Anthropic key", b"sk-ant-", rb"\bsk-ant-[a-z0-9]+-[A-Za-z0-9_-]{80,}"),
    Token("openai-key", "an OpenAI key", b"T3BlbkFJ", rb"\bsk-(?:[a-z]+-)?[A-Za-z0-9_-]{20,}T3BlbkFJ[A-Za-z0-9_-]{20,}"),
    Token("huggingface-token", "a Hugging Face token", b"hf_", rb"\bhf_[A-Za-z]{34}\b"),
    Token("grafana-token", "a Grafana token", b"glsa_", rb"\bglsa_[A-Za-z0-9]{32}_[a-f0-9]{8}\b"),
    Token("newrelic-key", "a New Relic key", b"NRAK-", rb"\bNRAK-[A-Z0-9]{27}\b"),
    Token("age-key", "an age key", b"AGE-SECRET-KEY-1", rb"\bAGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}\b"),
    Token("tailscale-key", "a Tailscale key", b"tskey-", rb"\btskey-(?:auth|api|client)-[A-Za-z0-9]+-[A-Za-z0-9]{20,}"),
    Token("cloudflare-token", "a Cloudflare origin key", b"v1.0-", rb"\bv1\.0-[a-f0-9]{24}-[a-f0-9]{146}\b"),
    Token("shopify-token", "a Shopify token", b"shp", rb"\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}\b"),
    Token("linear-key", "a Linear key", b"lin_api_", rb"\blin_api_[A-Za-z0-9]{40}\b"),
    Token("rubygems-key", "a RubyGems key", b"rubygems_", rb"\brubygems_[a-f0-9]{48}\b"),
    Token(
        "url-with-password",
        "a password in an address",
        b"://",
        rb"\b[a-z][a-z0-9+.-]{1,20}://[A-Za-z0-9._-]{1,40}:[^\s:/@$<{%*]{6,}@[A-Za-z0-9.-]+",
    ),
)


@cache
def _compiled(pattern: bytes) -> re2._Regexp[bytes]:
    import re2

    return re2.compile(pattern)


def find_tokens(data: bytes) -> Iterator[tuple[Token, int]]:
    """Each token in `data` with its offset."""
    for token in TOKENS:
        if token.keyword not in data:
            continue
        for match in _compiled(token.pattern).finditer(data):
            if token.checks(match.group(0)):
                yield token, match.start()
