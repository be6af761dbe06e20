#!/bin/bash
# inputs with defaults, arithmetic, expansions
set -eu
VERSION="${VERSION:-1.2.3}"
PREFIX=${PREFIX:-/opt/tool}
mkdir -p "$PREFIX/${VERSION%.*}"
echo "version=$VERSION major=${VERSION%%.*} next=$((2 + 3))" > "$PREFIX/about"
ln -sfn "$PREFIX/${VERSION%.*}" "$PREFIX/current"
echo "$(basename /usr/share/tool.txt .txt)" > "$PREFIX/name"
