#!/bin/bash
# apt-mark hold, dpkg --set-selections, debconf-set-selections
set -e
apt-mark hold bzip2
echo "unzip hold" | dpkg --set-selections
echo "tool tool/colour string blue" | debconf-set-selections
