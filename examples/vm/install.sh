#!/bin/sh
# A site, served by a unit of systemd: nothing here needs an archive of packages.
set -eu
mkdir -p /srv/site
cat >/etc/systemd/system/site.service <<UNIT
[Unit]
Description=The site

[Service]
DynamicUser=yes
WorkingDirectory=/srv/site
ExecStart=/usr/bin/python3 -m http.server 8080

[Install]
WantedBy=multi-user.target
UNIT
systemctl enable site.service
