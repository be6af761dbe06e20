#!/bin/bash
# cat > f <<E, echo and printf > f, tee, truncation
set -e
NAME=web
cat > /etc/one.conf <<'X'
plain $NAME `date` {{ not jinja }}
	tab
X
cat > /etc/two.conf <<X
name = $NAME
home = ${HOME:-/root}
X
cat <<-X > /etc/three.conf
	indented
	lines
X
echo "hello" > /etc/four.conf
echo -n "no end" > /etc/five.conf
printf '%s=%s\n' a 1 b 2 > /etc/six.conf
echo "by tee" | tee /etc/seven.conf > /dev/null
: > /etc/motd
truncate -s 0 /etc/issue
> /etc/eight.conf
