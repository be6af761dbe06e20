#!/bin/bash
# if, elif, else, case, && and ||, tests
set -e
MODE=${MODE:-server}
if [ "$MODE" = server ]; then
  echo server > /etc/mode
elif [ "$MODE" = client ]; then
  echo client > /etc/mode
else
  exit 1
fi
case "$MODE" in
  server | both) mkdir -p /srv/server ;;
  *) mkdir -p /srv/other ;;
esac
[ -f /etc/hostname ] && touch /etc/has-hostname
[ -d /srv/new ] || mkdir /srv/new
id games > /dev/null 2>&1 || useradd games
if grep -q '^root:' /etc/passwd; then touch /etc/has-root; fi
if [ ! -e /etc/none ]; then touch /etc/has-none; fi
