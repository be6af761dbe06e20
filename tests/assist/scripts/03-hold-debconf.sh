#!/bin/bash
# apt-mark hold, dpkg --set-selections, debconf-set-selections
set -e
dpkg -i /opt/repository/libtool-own_1.2-1_all.deb
apt-mark hold libtool-own
echo "toold hold" | dpkg --set-selections
echo "tool tool/colour string blue" | debconf-set-selections
