#!/bin/bash
# lines of fstab
set -e
mkdir -p /srv/data
echo "LABEL=data /srv/data ext4 defaults,noatime 0 2" >> /etc/fstab
sed -i '/ swap /d' /etc/fstab
echo "tmpfs /srv/scratch tmpfs size=64m 0 0" >> /etc/fstab
mkdir /srv/scratch
