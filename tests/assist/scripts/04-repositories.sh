#!/bin/bash
# a repository with its key
set -e
install -d -m 0755 /etc/apt/keyrings
cp /opt/fixtures/key.asc /etc/apt/keyrings/own.asc
chmod 0644 /etc/apt/keyrings/own.asc
echo "deb [signed-by=/etc/apt/keyrings/own.asc] http://packages.example.org/debian stable main" > /etc/apt/sources.list.d/example.list
