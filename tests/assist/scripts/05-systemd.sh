#!/bin/bash
# systemctl: enable, disable, mask, set-default, a unit of its own
set -euo pipefail
apt-get update -qq
apt-get install -y -qq toold
systemctl enable toold
systemctl mask systemd-timesyncd.service
cat > /etc/systemd/system/own.service <<'UNIT'
[Unit]
Description=Own

[Service]
ExecStart=/usr/bin/true

[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable own.service
systemctl disable systemd-networkd.service
systemctl restart toold
systemctl set-default multi-user.target
