"""The functions that read files, and those whose result is never the same twice."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path

import pytest

from goldsmith.hcl import Scope, evaluate, functions, parse_expression
from goldsmith.hcl.diagnostics import UserError
from goldsmith.hcl.source import SourceFile
from goldsmith.hcl.values import Plain, Value, boolean, string, to_plain


def value_of(root: Path, text: str) -> Value:
    return evaluate(parse_expression(SourceFile("test", text)), Scope({}, functions(root, 0)))


def plain(root: Path, text: str) -> Plain:
    return to_plain(value_of(root, text))


def reason(root: Path, text: str) -> str:
    with pytest.raises(UserError) as caught:
        value_of(root, text)
    return str(caught.value)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {"a.txt": "Hello", "sub/b.txt": "b", "sub/deep/c.txt": "c", "sub/deep/d.sh": "d", ".hidden": "h"}
    for name, content in files.items():
        path = tmp_path / "templates" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (tmp_path / "templates" / "binary").write_bytes(b"\xff\x00")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "templates"


def test_file_reads_text_from_the_directory_of_the_template(root: Path) -> None:
    assert plain(root, 'file("a.txt")') == "Hello"
    assert plain(root, f'file("{root}/sub/../a.txt")') == "Hello"


def test_a_relative_template_directory_does(root: Path) -> None:
    assert plain(Path("templates"), 'file("a.txt")') == "Hello"


def test_filebase64_and_abspath_go_by_the_working_directory(root: Path) -> None:
    assert plain(root, 'filebase64("templates/a.txt")') == base64.b64encode(b"Hello").decode()
    assert plain(root, 'filebase64("templates/binary")') == "/wA="
    assert plain(root, 'abspath("x/../y")') == str(root.parent / "y")


def test_a_tilde_is_the_home_directory(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(root / "sub"))
    assert plain(root, 'file("~/b.txt")') == "b"
    assert plain(root, 'pathexpand("~/b")') == str(root / "sub" / "b")
    assert plain(root, 'pathexpand("~")') == str(root / "sub")


def test_a_file_that_cannot_be_read_says_why(root: Path) -> None:
    assert f"no file exists at {root}/nope" in reason(root, 'file("nope")')
    assert "not valid UTF-8; use filebase64" in reason(root, 'file("binary")')
    assert "Is a directory" in reason(root, 'file("sub")')
    assert "no file exists" in reason(root, 'file("a.txt/x")')
    assert "no file exists" in reason(root, 'filebase64("a.txt")')
    assert "failed to read" in reason(root, r'file("\u0000")')


def test_fileexists_tells_files_from_directories(root: Path) -> None:
    assert plain(root, 'fileexists("a.txt")') is True
    assert plain(root, 'fileexists("nope")') is False
    assert "is not a regular file" in reason(root, 'fileexists("sub")')


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("*.txt", ["a.txt"]),
        ("**/*.txt", ["a.txt", "sub/b.txt", "sub/deep/c.txt"]),
        ("**", [".hidden", "a.txt", "binary", "sub/b.txt", "sub/deep/c.txt", "sub/deep/d.sh"]),
        ("sub/*/?.{txt,sh}", ["sub/deep/c.txt", "sub/deep/d.sh"]),
        ("sub/deep/[!c].*", ["sub/deep/d.sh"]),
        ("sub/deep/[a-c].*", ["sub/deep/c.txt"]),
        ("./*.txt", ["a.txt"]),
        ("sub", []),
        ("a?txt", ["a.txt"]),
        ("a.tx", []),
    ],
)
def test_fileset_finds_files_by_pattern(root: Path, pattern: str, wanted: list[str]) -> None:
    assert plain(root, f'fileset(".", "{pattern}")') == wanted


def test_fileset_of_a_directory_is_relative_to_it(root: Path) -> None:
    assert plain(root, 'fileset("sub", "**/*.sh")') == ["deep/d.sh"]
    assert plain(root, 'fileset("nope", "*")') == []


def template(root: Path, content: str) -> None:
    (root / "t.tmpl").write_text(content)


def test_templatefile_renders_with_its_variables(root: Path) -> None:
    template(root, "%{ for x in list ~}\n- ${upper(x)}\n%{ endfor ~}\n")
    assert plain(root, 'templatefile("t.tmpl", { list = ["a", "b"] })') == "- A\n- B\n"


def test_a_template_of_one_interpolation_keeps_the_type(root: Path) -> None:
    template(root, "${val}")
    assert value_of(root, 'templatefile("t.tmpl", { val = true })') == boolean(True)


def test_every_name_of_a_template_must_be_given_even_in_a_branch_not_taken(root: Path) -> None:
    template(root, "%{ if true }x%{ else }${missing}%{ endif }")
    told = reason(root, 'templatefile("t.tmpl", {})')
    assert 'vars map does not contain key "missing"' in told
    assert "t.tmpl:1,25" in told


def test_the_names_of_template_variables_are_identifiers(root: Path) -> None:
    template(root, "x")
    assert 'invalid template variable name "name!"' in reason(root, 'templatefile("t.tmpl", { "name!" = 1 })')
    assert "must be a map" in reason(root, 'templatefile("t.tmpl", [1])')


def test_a_template_does_not_read_another(root: Path) -> None:
    template(root, '${templatefile("t.tmpl", {})}')
    assert 'no function named "templatefile"' in reason(root, 'templatefile("t.tmpl", {})')


def test_a_fault_inside_of_a_template_names_the_place_in_it(root: Path) -> None:
    template(root, "a\n${upper(null)}")
    with pytest.raises(UserError) as caught:
        value_of(root, 'templatefile("t.tmpl", {})')
    place = caught.value.diagnostics[0].where
    assert place is not None
    assert place.file == str(root / "t.tmpl")
    assert place.start.line == 2


def test_base64gzip_can_be_unpacked_and_is_the_same_each_time(root: Path) -> None:
    packed = plain(root, 'base64gzip("héllo")')
    assert isinstance(packed, str)
    assert gzip.decompress(base64.b64decode(packed)).decode() == "héllo"
    assert plain(root, 'base64gzip("héllo")') == packed


def test_bcrypt_makes_a_hash_that_proves_the_password(root: Path) -> None:
    import bcrypt

    hashed = plain(root, 'bcrypt("pw", 4)')
    assert isinstance(hashed, str)
    assert hashed.startswith("$2a$04$")
    assert bcrypt.checkpw(b"pw", hashed.encode())


def test_rsadecrypt_opens_what_was_sealed_for_the_key(root: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    (root / "key.pem").write_bytes(pem)
    sealed = base64.b64encode(key.public_key().encrypt(b"password", padding.PKCS1v15())).decode()
    assert value_of(root, f'rsadecrypt("{sealed}", file("key.pem"))') == string("password")


def test_two_uuids_differ(root: Path) -> None:
    assert plain(root, "uuidv4() == uuidv4()") is False
