#!/bin/bash
# chpasswd
set -e
useradd -m -s /bin/bash vagrant
echo "vagrant:vagrant" | chpasswd
echo 'root:a-build-password' | chpasswd
echo 'vagrant ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/vagrant
chmod 0440 /etc/sudoers.d/vagrant
