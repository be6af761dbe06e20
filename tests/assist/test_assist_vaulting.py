"""Secrets that stand in scripts: a variable of the vault takes their place before anything else sees them."""

from __future__ import annotations

from goldsmith.assist.commands import Text, Variable, Word
from goldsmith.assist.vaulting import HIDDEN, Vault
from tests.assist.conversion_commands import command

_SECRET = "Tr0ub4dor&3x"


def test_a_secret_argument_becomes_a_variable() -> None:
    vault = Vault()

    stored = vault.stored(command(3, "curl", "-u", f"bob:{_SECRET}", "https://example.org/x"))

    assert stored.args[1].pieces == (Text("bob:"), Variable("vault_curl_password", "input"))
    assert stored.args[2].text == "https://example.org/x"
    assert vault.values == {_SECRET: "vault_curl_password"}
    assert vault.places["vault_curl_password"].line == 3


def test_a_secret_of_standard_input_becomes_a_variable_and_the_same_secret_the_same_one() -> None:
    vault = Vault()

    first = vault.stored(command(1, "chpasswd", stdin=Word.of(f"bob:{_SECRET}\nalice:other\n")))
    second = vault.stored(command(2, "mysql", f"-p{_SECRET}", "-e", "select 1"))

    assert first.stdin is not None
    assert first.stdin.pieces == (
        Text("bob:"),
        Variable("vault_chpasswd_password", "input"),
        Text("\nalice:"),
        Variable("vault_chpasswd_password_2", "input"),
        Text("\n"),
    )
    assert second.args[0].pieces == (Text("-p"), Variable("vault_chpasswd_password", "input"))


def test_a_secret_that_is_known_is_found_wherever_it_stands() -> None:
    vault = Vault()
    vault.stored(command(1, "curl", "-u", f"bob:{_SECRET}", "https://example.org"))

    stored = vault.stored(command(2, "tool", f"x={_SECRET}!"))

    assert _SECRET not in repr(stored.args)
    assert _SECRET not in vault.hidden(f"tool x={_SECRET}!")
    assert HIDDEN in vault.hidden(f"tool x={_SECRET}!")


def test_a_named_secret_in_the_text_of_a_file_becomes_a_variable() -> None:
    vault = Vault()

    stored = vault.stored(command(1, "cat", stdin=Word.of(f"user=web\ndb_password={_SECRET}\n")))

    assert stored.stdin is not None
    assert stored.stdin.pieces[1] == Variable("vault_db_password", "input")


def test_short_ordinary_words_are_hidden_only_where_they_are_secrets() -> None:
    vault = Vault()
    vault.stored(command(1, "chpasswd", stdin=Word.of("vagrant:vagrant\n")))

    assert vault.stored(command(2, "mkdir", "/home/vagrant")).args[0].text == "/home/vagrant"


def test_checksums_and_plain_arguments_stay() -> None:
    vault = Vault()
    digest = "d1f3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b4a3928170600"
    given = command(1, "sha256sum", "-c", stdin=Word.of(f"{digest}  /tmp/x\n"))

    assert vault.stored(given) == given
    assert vault.values == {}


def test_an_input_that_is_used_as_a_secret_is_noted() -> None:
    vault = Vault()

    vault.stored(command(1, "curl", "-u", Word((Text("bob:"), Variable("token", "input")))))

    assert vault.used_inputs == {"token"}
