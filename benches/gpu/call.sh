#!/usr/bin/env bash
# Runs on the machine with the GPU: call.sh first|tuned|exact|tiles|limits|STEP...
# Every step has its own time limit. Results are packed again after each, so that a run cut short leaves what it had.
#   OUT            where results.tgz is put (default: the folder of this file)
#   CHIARO_DEVICE  the device (default: gpu)
#   LIST=1         only list the rows that the steps would measure
#   SMALL=1        tiny sizes: a dry run on a software device
set -uo pipefail
kit=$(cd "$(dirname "$0")" && pwd)
out=${OUT:-$kit}; device=${CHIARO_DEVICE:-gpu}; chiaro=${CHIARO:-$kit/chiaro}; small=${SMALL:-}
work=$(mktemp -d) || exit 1
results=$work/results; mkdir -p "$out" "$results"
# The program travels compressed.
if [ ! -e "$chiaro" ] && [ -e "$kit/chiaro.xz" ]; then chiaro=$work/chiaro; xz -dc "$kit/chiaro.xz" >"$chiaro" && chmod +x "$chiaro"; fi
trap 'rm -rf "$work"' EXIT
export CHIARO_CACHE_DIR=$work/cache
# What an earlier call measured stays.
[ -n "${LIST:-}" ] || [ ! -e "$out/results.tgz" ] || tar xzf "$out/results.tgz" -C "$results" || exit 1
# What was tuned goes home with them, and is not searched for again; `starts` keeps its own.
mkdir -p "$CHIARO_CACHE_DIR"; cp "$results"/tuned-*.json "$CHIARO_CACHE_DIR/" 2>/dev/null
# Libraries that the machine lacks are used from a folder of their own; nothing is installed.
for package in "$kit"/*.deb; do [ -e "$package" ] && dpkg -x "$package" "$work/root" 2>/dev/null; done
mkdir "$work/missing"; known=$(ldconfig -p 2>/dev/null || true)
find "$work/root" -name '*.so.*' 2>/dev/null | while read -r library; do
  grep -qF "$(basename "$library") " <<<"$known" || ln -sf "$library" "$work/missing/"
done
export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$work/missing
# Where containers get NVIDIA's driver, which the loader does not look at.
nvidia=/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json
[ -z "${VK_DRIVER_FILES:-}" ] && [ -e "$nvidia" ] && export VK_DRIVER_FILES=$nvidia VK_ICD_FILENAMES=$nvidia
export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$work}

first=(devices verify peaks steps torch products convolutions depthwise networks starts train)
tuned=(devices tune tune16 steps-tuned)
# Cooperative tiles beside one another, the same rows with each: what the order in `Tile::COOPERATIVE` should be.
tiles=(
  "cooperative16 128x128x64/64x32" "cooperative16by4 128x128x64/64x32" "cooperative16 128x64x64/32x32" "cooperative16by4 128x64x64/32x32"
  "cooperative16 64x128x32/32x64" "cooperative16 64x128x64/32x32" "cooperative16by4 64x128x64/32x32" "cooperative16 256x128x32/64x64"
  "cooperative16by4 128x128x32/64x32" "cooperative16by4 128x64x32/64x32" "cooperative16by4 64x64x32/32x32" "cooperative16 64x64x64/32x32"
)
b128="3x3/1 fwd b128 f16"
tiled_rows="matmul 4096 f16|16x16 128-128 $b128|8x8 256-256 $b128|32x32 64-64 $b128|4x4 512-512 $b128|4x4 512-512 3x3/1 dx b128 f16|\
16x16 128-128 3x3/1 dw b128 f16|32x32 64-64 3x3/1 dw b128 f16"
exact=(ulp fuzz)

# A step's time limit in seconds.
limit() {
  case $1 in
    devices) echo 15 ;; verify) echo 75 ;; peaks) echo 20 ;; steps) echo 45 ;; torch) echo 75 ;; products) echo 35 ;;
    convolutions) echo 75 ;; depthwise) echo 15 ;; networks) echo 40 ;; starts) echo 30 ;; train) echo 45 ;; tune | tune16) echo 80 ;; steps-tuned) echo 45 ;; ulp) echo 30 ;; fuzz) echo 45 ;; tiles) echo 75 ;;
    *) return 1 ;;
  esac
}

pack() { tar czf "$out/results.tgz" -C "$results" . || echo "results.tgz could not be written to $out" >&2; }

step() { # name, command...
  local name=$1 seconds started rc; shift
  # Only what would run.
  if [ -n "${LIST:-}" ]; then echo "== $name"; return; fi
  seconds=$(limit "$name"); started=$SECONDS
  echo "== $name (at most $seconds s)"
  # --kill-after: a driver that hangs does not end for a plain signal.
  timeout --kill-after=5 "$seconds" "$@" >"$results/$name.txt" 2>&1; rc=$?
  tail -n "${LINES_SHOWN:-25}" "$results/$name.txt"
  # Of a step that ran before, the last time counts.
  touch "$results/ran.txt"; sed -i "/^$name /d" "$results/ran.txt"
  echo "$name $rc $((SECONDS - started)) $seconds" >>"$results/ran.txt"
  [ $rc -eq 0 ] || echo "-- $name ended with $rc"
  pack
}

bench() { # name, options...
  local name=$1; shift
  # What a step would run, for seeing that it finds its rows.
  if [ -n "${LIST:-}" ]; then echo "== $name"; "$chiaro" bench --list "$@" || exit 1; return; fi
  step "$name" "$chiaro" bench --device "$device" --json "$results/$name.json" --csv "$results/$name.csv" "$@"
}

# The steps at full size, or at sizes that a software device does in seconds.
choose() { if [ -n "$small" ]; then echo "$2"; else echo "$1"; fi; }

tuning=(--device "$device" --model "$(choose resnet18 lenet5)" --batch "$(choose 128 8)" --seconds "$(choose 60 2)")
[ -n "$small" ] || tuning+=(--size 32 --channels 3)

run() {
  case $1 in
    devices) step devices "$chiaro" devices --json; [ -n "${LIST:-}" ] || nvidia-smi >"$results/nvidia-smi.txt" 2>&1 ;;
    verify) step verify "$chiaro" verify --device "$device" --seconds 40 --json "$results/verify.json" ${small:+--filter matmul} ;;
    peaks) bench peaks --filter "$(choose "peak" "peak workgroup loads")" ;;
    steps) bench steps --no-tune --filter "$(choose "step resnet18 batch 128" "step lenet5")" --seconds "$(choose 1 0)" --limit 60 ;;
    products) bench products --no-tune --filter "$(choose "matmul" "matmul 256")" --seconds "$(choose 0.3 0)" ;;
    convolutions) bench convolutions --no-tune --filter "$(choose " b128" "conv small-cnn 28x28")" --seconds "$(choose 0.1 0)" ;;
    depthwise) bench depthwise --no-tune --filter "$(choose "step depthwise" "conv depthwise")" --seconds "$(choose 0.5 0)" ;;
    networks) bench networks --no-tune --filter "$(choose "224 batch" "step small-cnn")" --seconds "$(choose 0.5 0)" ;;
    starts) __GL_SHADER_DISK_CACHE=0 MESA_SHADER_CACHE_DISABLE=$(choose true false) bench starts --filter "$(choose "start step" "start step small-cnn")" --limit 60 ;;
    torch) torch ;;
    train) step train "$chiaro" train --device "$device" --no-tune ${MNIST:+--data "$MNIST"} --out "$work/mnist" ${small:+--epochs 1} ;;
    tune) tune f32 ;;
    tune16) tune f16 ;;
    ulp) step ulp "$chiaro" verify --device "$device" --ulp --json "$results/ulp.json" ;;
    fuzz) step fuzz "$chiaro" verify --device "$device" --fuzz "$(choose 100 3)" ;;
    tiles) tiles ;;
    steps-tuned) bench steps-tuned --filter "$(choose "step resnet18 batch 128" "step lenet5")" --seconds "$(choose 1 0)" --limit 60 ;;
    *) echo "there is no step named $1; known are ${first[*]} ${tuned[*]:1} ${exact[*]} tiles" >&2; exit 2 ;;
  esac
}

# What is found is kept kernel by kernel, so that a search cut short leaves what it had.
tune() { # precision
  local name=tune; [ "$1" = f32 ] || name=tune16
  step $name "$chiaro" tune "${tuning[@]}" --precision "$1"
  [ -z "${LIST:-}" ] || return
  cp "$CHIARO_CACHE_DIR"/tuned-*.json "$results/" 2>/dev/null
  timeout --kill-after=5 15 "$chiaro" tune --device "$device" --model "$(choose resnet18 lenet5)" --batch 1 --seconds 0 --export "$results/choices.json" >/dev/null 2>"$work/export.txt" \
    || { echo "-- the choices were not written"; cat "$work/export.txt"; }
  pack
}

# A line a tile and row. The tiles that matter least come last, where the time may not suffice.
tiles() {
  local tile most=$(limit tiles) started=$SECONDS said="$results/tiles.txt" rows="$tiled_rows"
  if [ -n "${LIST:-}" ]; then echo "== tiles"; "$chiaro" bench --list --filter "$rows"; return; fi
  [ -z "$small" ] || { rows="matmul 256"; tiles=("direct 16x32x1/4x4"); }
  echo "== tiles (at most $most s)"; : >"$said"
  for tile in "${tiles[@]}"; do
    [ $((SECONDS - started)) -lt "$most" ] || { echo "-- no time for $tile" | tee -a "$said"; continue; }
    timeout --kill-after=5 $((most - SECONDS + started + 1)) "$chiaro" bench --device "$device" --no-tune --no-roofline --tile "$tile" \
      --filter "$rows" --seconds "$(choose 0.05 0)" --runs 3 --calls >"$work/tile.txt" 2>&1
    # The dispatches with the tile that ran: a row whose tile was refused shows another.
    { echo "-- $tile, $((SECONDS - started)) s"; grep -E '^(conv|matmul|  Conv|  MatMul|.*(off|failed))' "$work/tile.txt"; } | tee -a "$said"
  done
  touch "$results/ran.txt"; sed -i "/^tiles /d" "$results/ran.txt"; echo "tiles 0 $((SECONDS - started)) $most" >>"$results/ran.txt"
  pack
}

torch() {
  if [ -n "${LIST:-}" ]; then echo "== torch"; return; fi
  if ! python3 -c 'import torch' 2>/dev/null; then
    echo "PyTorch is not here: nothing to compare with" | tee "$results/torch.txt"
    return
  fi
  step torch python3 "$kit/torch_gpu.py" --device "$(choose cuda cpu)" --batch "$(choose 128 4)" --sizes "$(choose 4096 64)" --steps "$(choose 20 1)"
}

case ${1:-first} in
  first) set -- "${first[@]}" ;;
  tuned) set -- "${tuned[@]}" ;;
  exact) set -- "${exact[@]}" ;;
  limits)
    for s in "${first[@]}" "${tuned[@]:1}" "${exact[@]}" tiles; do echo "$s $(limit "$s")"; done
    sum=0; for s in "${first[@]}"; do sum=$((sum + $(limit "$s"))); done; echo "first $sum"
    exit 0 ;;
esac
[ -d "$kit/mnist" ] && MNIST=${MNIST:-$kit/mnist}
[ -e "$kit/commit" ] && cp "$kit/commit" "$results/commit.txt"
date -u +%Y-%m-%d >"$results/date.txt"
for s in "$@"; do run "$s"; done
[ -z "${LIST:-}" ] || exit 0
pack
echo "== $out/results.tgz"
