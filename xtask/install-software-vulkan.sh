#!/usr/bin/env bash
# Installs what Chiaro's GPU tests need on a machine without a GPU (Debian or Ubuntu, as root): the Vulkan loader, Mesa's software
# driver, spirv-val, and a C compiler. Debian 12's own Mesa 22 stops loops early without an error, so there its backports are used.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
. /etc/os-release
apt-get update -qq
apt-get install -qq -y --no-install-recommends gcc libc6-dev libvulkan1 spirv-tools >/dev/null
suite=()
if [[ ${VERSION_CODENAME:-} == bookworm ]]; then
  shopt -s nullglob
  sources=(/etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list)
  [[ -f /etc/apt/sources.list ]] && sources+=(/etc/apt/sources.list)
  if ! grep -qs bookworm-backports "${sources[@]}"; then
    # the system's own Debian source, with the backports suite
    lines=$(grep -l bookworm "${sources[@]}" | xargs grep -hoE '^(URIs:|deb( +\[[^]]*\])?) +[^ ]+')
    uri=$(awk '!/security/ {print $NF; exit}' <<<"$lines")
    printf 'Types: deb\nURIs: %s\nSuites: bookworm-backports\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' "$uri" \
      >/etc/apt/sources.list.d/bookworm-backports.sources
    apt-get update -qq
  fi
  suite=(-t bookworm-backports)
fi
apt-get install -qq -y --no-install-recommends "${suite[@]}" mesa-vulkan-drivers >/dev/null
