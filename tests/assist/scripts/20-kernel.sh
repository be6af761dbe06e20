#!/bin/bash
# sysctl, modules
set -e
echo "net.ipv4.ip_forward = 1" > /etc/sysctl.d/60-router.conf
cat >> /etc/sysctl.conf <<X
vm.swappiness = 10
X
sysctl --system > /dev/null || true
echo br_netfilter >> /etc/modules-load.d/k8s.conf
echo "blacklist floppy" > /etc/modprobe.d/floppy.conf
