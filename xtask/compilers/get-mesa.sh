#!/usr/bin/env bash
# get-mesa.sh FOLDER: unpacks Debian sid's Mesa Vulkan drivers, their drm shims and all libraries they need into FOLDER/amd64.
# Nothing is installed: apt only resolves and downloads, with a package state of its own. Mesa's shim for Intel, which Debian does
# not ship, is built from Debian's Mesa source where the build's packages are there (2 minutes of a core). What is there is kept.
# Runs on Debian and Ubuntu on x86-64; needs no root.
set -euo pipefail
folder=$(realpath -m "$1")
root=$folder/amd64
libraries=$root/usr/lib/x86_64-linux-gnu
[[ $(uname -m) == x86_64 ]] || { echo "the shims are for x86-64 only" >&2; exit 1; }
command -v apt-get >/dev/null || { echo "apt-get is needed to unpack Debian's Mesa" >&2; exit 1; }
uri=${DEBIAN_MIRROR:-$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null || true; } |
  awk '(/^URIs:/ || /^deb /) { for (i = 2; i <= NF; i++) if ($i ~ /:\/\/.*debian\/?$/) { print $i; exit } }')}
[[ -n $uri ]] || { echo "no Debian mirror in apt's sources: set DEBIAN_MIRROR" >&2; exit 1; }

if [[ ! -e $folder/mesa.done ]]; then
  state=$folder/.apt
  rm -rf "$state"
  mkdir -p "$root" "$state"/{lists/partial,cache/archives/partial,etc}
  : >"$state/status"
  printf 'Types: deb\nURIs: %s\nSuites: sid\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
    "$uri" >"$state/etc/mesa.sources"
  options=(-o Dir::Etc::sourcelist="$state/etc/mesa.sources" -o Dir::Etc::sourceparts=/dev/null -o Dir::State="$state"
    -o Dir::State::lists="$state/lists" -o Dir::State::status="$state/status" -o Dir::Cache="$state/cache" -o APT::Architecture=amd64
    -o APT::Architectures=amd64 -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o APT::Install-Recommends=false
    -o Acquire::Languages=none -o Acquire::Retries=1 -o Acquire::http::Timeout=30 -o APT::Update::Error-Mode=any)
  apt-get "${options[@]}" -qq update >&2
  apt-get "${options[@]}" -qq -y --download-only install mesa-vulkan-drivers mesa-drm-shim libvulkan1 libc6 libgcc-s1 >&2
  for deb in "$state"/cache/archives/*.deb; do dpkg -x "$deb" "$root"; done
  basename "$state"/cache/archives/mesa-vulkan-drivers_*.deb | cut -d_ -f2 >"$folder/mesa.done"
  rm -rf "$state"
fi

shim=libintel_noop_drm_shim.so
if [[ ! -e $libraries/$shim ]]; then
  for tool in meson ninja gcc g++ bison flex pkg-config curl; do
    command -v "$tool" >/dev/null || { echo "without Intel, whose shim must be built: no $tool here" >&2; exit 0; }
  done
  # 25.0.7's shim speaks i915, which 26's driver accepts for every platform, Xe2 among them.
  version=25.0.7
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  curl -fsS --connect-timeout 30 "$uri/pool/main/m/mesa/mesa_$version.orig.tar.xz" | tar xJ -C "$work" ||
    { echo "without Intel, whose shim must be built: Mesa's source could not be had" >&2; exit 0; }
  export PATH=/usr/bin:/bin # the system's Python, which has mako
  if meson setup "$work/build" "$work/mesa-$version" -Dbuildtype=release -Dtools=drm-shim,intel -Dvulkan-drivers= \
    -Dgallium-drivers= -Dplatforms= -Dglx=disabled -Degl=disabled -Dgbm=disabled -Dopengl=false -Dgles1=disabled \
    -Dgles2=disabled -Dllvm=disabled -Dvideo-codecs= -Dshader-cache=disabled -Dvalgrind=disabled -Dlibunwind=disabled \
    -Dlmsensors=disabled -Dintel-rt=disabled >"$work/log" 2>&1 &&
    nice ninja -C "$work/build" "src/intel/tools/$shim" >>"$work/log" 2>&1; then
    cp "$work/build/src/intel/tools/$shim" "$libraries/$shim.part"
    mv "$libraries/$shim.part" "$libraries/$shim"
  else
    tail -20 "$work/log" >&2
    echo "without Intel, whose shim must be built: apt-get install meson ninja-build gcc g++ pkgconf python3-mako python3-yaml" \
      "python3-packaging bison flex libdrm-dev zlib1g-dev libexpat1-dev" >&2
  fi
fi
