#!/bin/bash
# what a script makes and removes again
set -e
mkdir /srv/scratch && rmdir /srv/scratch
echo x > /etc/half-way
rm /etc/half-way
tmp=$(mktemp -d)
echo y > "$tmp/y"
cp "$tmp/y" /etc/y
rm -rf "$tmp"
