#!/bin/sh
# Puts what agents work with into a Debian root, and the two users of a worker.
set -eu

# The tools' own user: what a model runs must not reach the memory or the files of the harness.
HARNESS_UID=10001
TOOLS_UID=10002
UV_VERSION=0.13.8

apt-get update
apt-get install --yes --no-install-recommends \
    bubblewrap build-essential ca-certificates curl git jq make nodejs npm \
    openssh-client patch procps python3 python3-pip python3-venv ripgrep unzip
rm -rf /var/lib/apt/lists/*

useradd --uid "$HARNESS_UID" --create-home --shell /usr/sbin/nologin harness
useradd --uid "$TOOLS_UID" --create-home --shell /bin/sh tools
install --directory --owner harness --group tools --mode 2770 /work

python3 -m pip install --no-cache-dir --break-system-packages "uv==$UV_VERSION"
