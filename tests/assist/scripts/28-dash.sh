#!/bin/sh
# the echo of dash expands backslashes
set -e
echo "one\ntwo" > /etc/dash.conf
umask 077
echo secret > /etc/private.conf
mkdir /srv/private
