#!/bin/bash
# what no module does: shell with a guard
set -e
/opt/fixtures/installer.run --prefix=/opt/other
awk '{ print toupper($0) }' /opt/fixtures/letters.txt > /etc/upper.txt
cut -d: -f1 /etc/passwd | sort > /etc/users.txt
