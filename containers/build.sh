#!/bin/sh
# The build steps of the images of fanfold, on any Debian or Ubuntu root:
#   build.sh system [lean]   what agents and checks work with; lean: without compilers and Node
#   build.sh program EXTRA   fanfold with its locked dependencies, from the folder it is called in
set -eu

UV_VERSION=0.13.8
BASICS="ca-certificates git patch procps python3 python3-pip python3-venv ripgrep"
TOOLCHAINS="build-essential cmake curl golang-go jq make nodejs npm openssh-client pkg-config
    python3-dev unzip xz-utils"

system() {
    [ "${1:-}" = lean ] && TOOLCHAINS=""
    export DEBIAN_FRONTEND=noninteractive
    apt-get update --quiet
    # shellcheck disable=SC2086
    apt-get install --quiet --yes --no-install-recommends $BASICS $TOOLCHAINS
    rm -rf /var/lib/apt/lists/*
    python3 -m pip install --no-cache-dir --break-system-packages "uv==$UV_VERSION"
}

program() {
    export UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=.venv UV_LINK_MODE=copy
    export UV_NO_CACHE="${UV_NO_CACHE-1}"
    uv sync --frozen --no-default-groups --extra "$1" --no-editable --compile-bytecode
}

"$@"
