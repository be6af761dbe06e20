#!/bin/bash
# loops, functions, local variables, positionals
set -eu
for name in alpha beta gamma; do
  mkdir -p "/srv/$name"
  echo "$name" > "/srv/$name/name"
done
write() {
  local file=$1 text=$2
  echo "$text" > "/etc/$file"
  chmod 0600 "/etc/$file"
}
write one.conf "first file"
write two.conf "second file"
