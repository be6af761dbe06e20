#!/bin/sh
# Takes away what no two machines may share and what only this build needed, and turns the machine off.
set -eu
cloud-init clean --logs --seed
rm -f /etc/sudoers.d/90-cloud-init-users /etc/ssh/ssh_host_*
: >/etc/machine-id
# Its end writes the seed; nobody writes it again.
systemctl stop systemd-random-seed.service
rm -f /var/lib/systemd/random-seed
rm -rf /var/log/journal/* /home/debian/.ssh /home/debian/.bash_history /root/.bash_history /tmp/* /var/tmp/*
find /var/log -type f -exec truncate -s 0 {} +
systemctl poweroff
