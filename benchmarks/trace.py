"""What following a script costs: python -m benchmarks.trace [--tree DIR] [--runs N].

The same script runs in the same kind of sandbox, without the tracer and with it, in turns. It installs packages, makes users
and runs several hundred small commands. Without --tree a small Debian is made of packages of this host.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from tests.assist.debian_tree import make_debian_tree

from benchmarks.measuring import Failed, Line, machine
from goldsmith.assist.ledger import Ledger, TraceOptions, trace
from goldsmith.assist.parent import Parent
from goldsmith.assist.script_set import lay_out
from goldsmith.assist.shell import Script
from goldsmith.assist.tracing import SCRIPTS
from goldsmith.machines import Journal, Sandbox
from goldsmith.machines.cancellation import Cancellation

SETUP = """\
apt-get update
apt-get install -y --no-install-recommends tool toold
sed -i 's/^port = .*/port = 8080/' /etc/toold.conf
systemctl enable toold
"""
SERVICE = """\
useradd -r -m -d /srv/app{0} -s /usr/sbin/nologin app{0}
install -d -m 0750 -o app{0} -g app{0} /srv/app{0}/lib /etc/app{0}
cat > /etc/app{0}/app.conf <<X
[web]
port = 80{0}
root = /srv/app{0}
X
chmod 0640 /etc/app{0}/app.conf
chown root:app{0} /etc/app{0}/app.conf
sed -i 's/^root = .*/root = \\/srv\\/app{0}\\/lib/' /etc/app{0}/app.conf
grep -q '^debug' /etc/app{0}/app.conf || echo 'debug = no' >> /etc/app{0}/app.conf
cp /opt/fixtures/run.sh /srv/app{0}/run.sh
chmod 0755 /srv/app{0}/run.sh
ln -sf /srv/app{0}/run.sh /usr/local/bin/app{0}
cat > /etc/systemd/system/app{0}.service <<X
[Service]
ExecStart=/srv/app{0}/run.sh
User=app{0}
[Install]
WantedBy=multi-user.target
X
systemctl enable app{0}.service
tar -xzf /opt/fixtures/app.tar.gz -C /srv/app{0}
find /srv/app{0} -type f -name '*.conf' -exec chmod 0640 {{}} +
mkdir -p /var/lib/app{0}/cache /var/lib/app{0}/state
touch /var/lib/app{0}/state/ready
name=app{0}
if [ -d "/srv/$name" ]; then
  echo "$name ALL=(ALL) NOPASSWD: /usr/bin/tool" > "/etc/sudoers.d/$name"
  chmod 0440 "/etc/sudoers.d/$name"
fi
rm -rf /var/lib/app{0}/cache
mv /var/lib/app{0}/state/ready /var/lib/app{0}/state/set-up
"""
SERVICES = 15
_LINES = "#!/bin/bash\nset -eu\n" + SETUP + "".join(map(SERVICE.format, range(SERVICES)))
SCRIPT = Script("setup.sh", _LINES.encode())


def main() -> None:
    """Print what both take, and the share that is added."""
    parser = argparse.ArgumentParser(prog="benchmarks.trace", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--tree", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="goldsmith-bench-") as name:
        place = Path(name)
        tree = given.tree or place / "tree"
        if given.tree is None:
            tree.mkdir()
            make_debian_tree(tree)
        parent = Parent(name="small-debian", lowers=(tree.resolve(),), epoch=1_790_000_000)
        plain, traced = [], []
        for number in range(given.runs):
            work = place / f"run{number}"
            work.mkdir()
            plain.append(_plain(parent, work))
            ledger = _traced(parent, work)
            traced.append(ledger.seconds)
        commands = len(ledger.effects)
        added = [after - before for before, after in zip(plain, traced, strict=True)]
        print(f"{commands} commands, of which {sum(bool(item.touched) for item in ledger.effects)} change something")
        print(Line("without the tracer", plain))
        print(Line("with it", traced))
        print(Line("of a command, added", [1000 * item / commands for item in added], "ms"))
        print(Line("added", [100 * item / statistics.median(plain) for item in added], "%", goal=5))


def _plain(parent: Parent, work: Path) -> float:
    """Seconds, with the sandbox that is made and left, as a ledger counts them."""
    upper, staged, journal = work / "plain", work / "scripts", Journal(work / "journal")
    upper.mkdir()
    lay_out([SCRIPT], staged)
    started = time.monotonic()
    with Sandbox(parent.lowers, upper, work / "sandbox", journal=journal, network="none", epoch=parent.epoch) as sandbox:
        sandbox.put_tree(staged, SCRIPTS)
        if code := sandbox.run(["bash", f"{SCRIPTS}/{SCRIPT.path}"]):
            raise Failed(f"the script ended with {code}")
    return time.monotonic() - started


def _traced(parent: Parent, work: Path) -> Ledger:
    place = work / "traced"
    place.mkdir()
    ledger = trace([SCRIPT], parent, TraceOptions(), Journal(work / "journal"), place, Cancellation())
    if not ledger.is_complete:
        raise Failed("\n".join(fault.what for fault in ledger.faults))
    return ledger


if __name__ == "__main__":
    main()
