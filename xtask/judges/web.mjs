// Judges files that crates/onnx/tests/export.rs leaves by onnxruntime-web (WebAssembly): node web.mjs FOLDER
//
// Logits of up to 20 images must be those of NAME.logits to 1e-5 of the largest. NODE_PATH names the folder of the modules. Files
// above 40 MB are left out, which is printed.

import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const [folder] = process.argv.slice(2);
const ort = createRequire(import.meta.url)("onnxruntime-web");
ort.env.logLevel = "error";
ort.env.wasm.numThreads = 1;

const BOUND = 1e-5;
const MOST_BYTES = 40e6;

const floats = (file) => {
  const bytes = fs.readFileSync(file);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
};

async function judge(stem) {
  const session = await ort.InferenceSession.create(fs.readFileSync(stem + ".onnx"), { executionProviders: ["wasm"] });
  const [, c, h, w] = session.inputMetadata[0].shape;
  const all = floats(stem + ".images");
  const whole = floats(stem + ".logits");
  const total = all.length / (c * h * w);
  const n = Math.min(20, total);
  const image = new ort.Tensor("float32", all.slice(0, n * c * h * w), [n, c, h, w]);
  const found = (await session.run({ image })).logits.data;
  const wanted = whole.subarray(0, (n * whole.length) / total);
  if (found.length !== wanted.length) throw new Error(`${found.length} logits instead of ${wanted.length}`);
  let [most, scale] = [0, 1e-3];
  wanted.forEach((v, i) => ([most, scale] = [Math.max(most, Math.abs(v - found[i])), Math.max(scale, Math.abs(v))]));
  if (!(most / scale < BOUND)) throw new Error(`logits differ by ${(most / scale).toExponential(1)}`);
  return `logits of ${n} images differ by ${(most / scale).toExponential(1)} of the largest`;
}

const files = fs.readdirSync(folder).filter((name) => name.endsWith(".onnx")).sort();
let failed = files.length === 0;
console.log(`onnxruntime-web ${ort.env.versions.web ?? ""}, ${files.length} files`);
for (const file of files) {
  const stem = path.join(folder, file.slice(0, -".onnx".length));
  if (fs.statSync(stem + ".onnx").size > MOST_BYTES) {
    console.log(`${file}: left out, it has ${Math.round(fs.statSync(stem + ".onnx").size / 1e6)} MB`);
    continue;
  }
  try {
    console.log(`${file}: ${await judge(stem)}`);
  } catch (cause) {
    failed = true;
    console.log(`FAILED ${file}: ${cause.message}`);
  }
}
process.exit(failed ? 1 : 0);
