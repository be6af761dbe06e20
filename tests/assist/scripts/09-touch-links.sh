#!/bin/bash
# touch; ln -s, -sf, -sfn; a hard link
set -e
touch /etc/own.flag
touch /etc/hostname
ln -s /etc/own.flag /etc/own.link
ln -sf ../own.flag /etc/apt/own.link
ln -sfn /var /opt/served
