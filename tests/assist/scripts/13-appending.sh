#!/bin/bash
# >> to old and new files, tee -a, several lines, a guard
set -e
echo "10.0.0.1 db" >> /etc/hosts
echo "first" >> /etc/new.conf
echo "second" >> /etc/new.conf
echo "third" | tee -a /etc/new.conf
cat >> /etc/environment <<'X'
A=1
B=2
X
grep -q '^C=' /etc/environment || echo "C=3" >> /etc/environment
