#!/usr/bin/env bash
# Collects in .gpu/ (ignored by git) all that measuring on a machine with a GPU needs. Run it in the checkout, where cargo works.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
rm -rf .gpu && mkdir .gpu
cargo build --release --locked --quiet -p chiaro-cli
cp "${CARGO_TARGET_DIR:-target}/release/chiaro" .gpu/
strip .gpu/chiaro 2>/dev/null || echo "note: strip is missing; the program is larger than it need be" >&2
cp "$here/call.sh" "$here/torch_gpu.py" .gpu/
cp -r data/mnist .gpu/mnist
# The Vulkan loader, for machines that have a driver and no loader.
if ! (cd .gpu && apt-get download -qq libvulkan1 2>/dev/null); then
  echo "note: libvulkan1 was not downloaded; the machine needs a Vulkan loader of its own" >&2
fi
git rev-parse HEAD >.gpu/commit
git diff --quiet HEAD || echo "and changes that are not committed" >>.gpu/commit
du -sh .gpu
cat <<'MSG'
Take .gpu/ along, alone or with the checkout. There:
  bash .gpu/call.sh first      # 8 minutes at most; everything is in results.tgz
  bash .gpu/call.sh tuned      # 4 minutes
Then here: cargo xtask gpu-results results.tgz
MSG
