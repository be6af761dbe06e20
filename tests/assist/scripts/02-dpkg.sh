#!/bin/bash
# dpkg -i, foreign architectures, marks
set -e
dpkg -i /opt/repository/libtool-own_1.2-1_all.deb
dpkg --add-architecture arm64
apt-mark auto libtool-own
