#!/bin/bash
# useradd, adduser, usermod, groupadd, userdel, passwd -l
set -e
groupadd -g 3000 ops
groupadd --system svc
useradd -m -u 3001 -g ops -s /bin/bash -c "Operator" op
useradd -r -M -d /nonexistent -s /usr/sbin/nologin svc -g svc
usermod -aG mail op
userdel games
passwd -l op
