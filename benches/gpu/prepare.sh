#!/usr/bin/env bash
# Collects in .gpu/ (ignored by git) all that measuring on a machine with a GPU needs. Run it in the checkout, where cargo works.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
rm -rf .gpu && mkdir .gpu
cargo build --release --locked --quiet -p chiaro-cli
cp "${CARGO_TARGET_DIR:-target}/release/chiaro" .gpu/
strip .gpu/chiaro 2>/dev/null || echo "note: strip is missing; the program is larger than it need be" >&2
xz -T0 .gpu/chiaro 2>/dev/null || echo "note: xz is missing; the program travels as it is" >&2
cp "$here/call.sh" "$here/torch_gpu.py" .gpu/
cp -r data/mnist .gpu/mnist
# The Vulkan loader, and what NVIDIA's driver links to, for machines that have a driver and nothing else.
packages=(libvulkan1 libegl1 libglvnd0 libopengl0 libgl1 libglx0 libgles2 libx11-6 libxcb1 libxau6 libxdmcp6 libxext6)
if ! (cd .gpu && apt-get download -qq "${packages[@]}" 2>/dev/null); then
  echo "note: not all of ${packages[*]} were downloaded; the machine needs a Vulkan loader of its own" >&2
fi
git rev-parse HEAD >.gpu/commit
git diff --quiet HEAD || echo "and changes that are not committed" >>.gpu/commit
du -sh .gpu
cat <<'MSG'
Take .gpu/ along, alone or with the checkout. There:
  bash .gpu/call.sh first      # 8 minutes at most; everything is in results.tgz
  bash .gpu/call.sh tuned      # 4 minutes; its choices can ship
  bash .gpu/call.sh exact      # 1 minute: ulps and random graphs
Then here: cargo xtask gpu-results results.tgz
MSG
