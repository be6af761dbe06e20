#!/bin/sh
# Installs the agent's units; the agent itself came with the step before.
set -eu
: "${HEARTBEAT:?}"

chmod 755 /usr/local/sbin/fleet-agent

cat >/etc/systemd/system/fleet-agent.service <<UNIT
[Unit]
Description=Report the state of this machine

[Service]
Type=oneshot
ExecStart=/usr/local/sbin/fleet-agent
DynamicUser=yes
UNIT

cat >/etc/systemd/system/fleet-agent.timer <<UNIT
[Unit]
Description=Report the state of this machine regularly

[Timer]
OnBootSec=30s
OnUnitActiveSec=${HEARTBEAT}

[Install]
WantedBy=timers.target
UNIT

systemctl enable fleet-agent.timer

# The first network interface asks for an address; nothing else configures the network of a thin base.
cat >/etc/systemd/network/80-dhcp.network <<UNIT
[Match]
Type=ether

[Network]
DHCP=yes
UNIT
systemctl enable systemd-networkd.service

# Names are asked at the servers that came with the address. Nothing listens: not for this machine, not for neighbours.
mkdir -p /etc/systemd/resolved.conf.d
cat >/etc/systemd/resolved.conf.d/80-no-listeners.conf <<UNIT
[Resolve]
DNSStubListener=no
LLMNR=no
MulticastDNS=no
UNIT
ln -snf ../run/systemd/resolve/resolv.conf /etc/resolv.conf
