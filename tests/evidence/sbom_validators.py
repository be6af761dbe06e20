"""What the libraries of the two formats of bills of materials say of a document of ours."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path


def cyclonedx_fault(document: Mapping[str, object]) -> object:
    """What breaks the schema of CycloneDX 1.6, or None."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document))


def spdx_faults(document: Mapping[str, object], directory: Path) -> Sequence[object]:
    """What breaks the rules of SPDX 2.3; the library reads a file, which is put into `directory`."""
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    path = directory / "image.spdx.json"
    path.write_text(json.dumps(document))
    return validate_full_spdx_document(parse_file(str(path)))
