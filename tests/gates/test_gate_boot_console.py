"""What serial lines tell, on lines of real consoles."""

from __future__ import annotations

import pytest

from goldsmith.gates.boot import console

LOCKUP = "[  {0}.34] watchdog: BUG: soft lockup - CPU#0 stuck for {0}s! [systemd-resolve:204]\n"


def test_control_sequences_are_taken_out() -> None:
    text = "\x1b[2J\x1b[01;01HSeaBIOS\r\n[\x1b[0;32m  OK  \x1b[0m] Started \x1b[0;1;39mssh.service\x1b[0m.\r\n"

    assert console.readable(text) == "SeaBIOS\n[  OK  ] Started ssh.service.\n"


@pytest.mark.parametrize(
    "line",
    [
        "[ 1.0] Kernel panic - not syncing: VFS",
        "[ 2.0] BUG: unable to handle page fault for address: 0000000000001000",
        "[ 2.0] Oops: 0000 [#1] PREEMPT SMP",
        "EXT4-fs error (device vda3): ext4_lookup:1855: inode #2",
        "/dev/vda3: UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY.",
        "[ 3.1] I/O error, dev vda, sector 2048",
    ],
)
def test_a_complaint_of_the_kernel_is_found_once(line: str) -> None:
    (found,) = console.complaints(f"starting\n{line}\nsomething\n{line}\n", emulated=True)

    assert found in line


def test_a_starved_emulator_is_no_complaint_but_a_real_machine_that_locks_up_is() -> None:
    assert console.complaints(LOCKUP.format(22), emulated=True) == ()
    assert len(console.complaints(LOCKUP.format(22), emulated=False)) == 1


def test_a_processor_that_stands_still_for_a_minute_has_stalled() -> None:
    assert not console.has_stalled("")
    assert not console.has_stalled(LOCKUP.format(22))
    assert console.has_stalled(LOCKUP.format(22) + LOCKUP.format(74))


@pytest.mark.parametrize(
    "line",
    [
        "[ 1.6] ---[ end Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0) ]---",
        "(initramfs) ",
        "You are in emergency mode. After logging in, type",
        "BdsDxe: No bootable option or device was found.",
        "grub rescue> ",
    ],
)
def test_a_machine_past_help_says_so(line: str) -> None:
    assert console.past_help(f"one\n{line}\ntwo\n") == line.strip()


def test_a_machine_that_comes_up_is_not_past_help() -> None:
    assert (
        console.past_help("[ 0.0] Command line: root=/dev/vda1 ro panic=-1\nDebian GNU/Linux 12 web ttyS0\n\nweb login: ") == ""
    )


def test_a_login_prompt_is_seen() -> None:
    assert console.asks_for_login("Debian GNU/Linux 12 web ttyS0\n\nweb login: ")
    assert not console.asks_for_login("the login: service")


def test_the_last_words_are_told_in_one_line() -> None:
    assert console.tail("one\n\ntwo\nthree\n", 2) == "two / three"
    assert console.tail("\n \n") == "the console stayed empty"
