// An exported network in a browser: loads PART.json and PART.onnx, crops a person, runs.
// What it knows about the network is what the manifest says: no name or size stands here.

import * as ort from './node_modules/onnxruntime-web/dist/ort.wasm.min.mjs';

ort.env.wasm.numThreads = 1; // more need a server that sends the headers of cross-origin isolation

/**
 * Loads an export.
 *
 * @param {string} folder where `python -m capf_jax.export --out` has written to, with a slash.
 * @param {{part?: string, type?: string}} which of the manifest's files; 'float32' by default.
 * @returns {Promise<{manifest: object, session: ort.InferenceSession}>}
 */
export async function load(folder, { part = 'all', type = 'float32' } = {}) {
  const manifest = await (await get(`${folder}${part}.json`)).json();
  const file = manifest.files.find((one) => one.format === 'onnx' && one.type === type);
  if (!file) throw new Error(`the export in ${folder} has no ONNX file in ${type}`);
  const content = await (await get(folder + file.file)).arrayBuffer();
  return { manifest, session: await ort.InferenceSession.create(content) };
}

async function get(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address} is not there: export the network first`);
  return answer;
}

/**
 * The crop around a box, of the size that the network takes.
 *
 * @param {CanvasImageSource & {width: number, height: number}} picture
 * @param {number[]} box x, y, width, height of the person, pixels of the picture.
 * @param {{height: number, width: number}} size of the crop: the manifest's `crop`.
 * @param {number} margin how much larger than the box the crop is.
 * @returns {{canvas: HTMLCanvasElement, pixels: Uint8Array}} RGB, row by row.
 */
export function crop(picture, box, size, margin = 1.25) {
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width: size.width, height: size.height });
  const scale = margin * Math.max(box[2] / size.width, box[3] / size.height);
  const [width, height] = [scale * size.width, scale * size.height];
  const [left, top] = [box[0] + (box[2] - width) / 2, box[1] + (box[3] - height) / 2];
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.fillRect(0, 0, size.width, size.height); // black where the picture ends
  context.imageSmoothingQuality = 'high';
  context.drawImage(picture, left, top, width, height, 0, 0, size.width, size.height);
  const { data } = context.getImageData(0, 0, size.width, size.height);
  return { canvas, pixels: Uint8Array.from(data).filter((_, place) => place % 4 < 3) };
}

/**
 * Runs a network on crops.
 *
 * @param {{manifest: object, session: ort.InferenceSession}} model of `load`.
 * @param {Uint8Array} pixels of one crop or of several, one after the other.
 * @returns {Promise<Object<string, number[][]>>} by output, for each crop its joints' numbers:
 *   [crop][joint * 3 + axis] in metres for 'pose'.
 */
export async function run({ manifest, session }, pixels) {
  const { height, width } = manifest.crop;
  const number = pixels.length / (height * width * 3);
  const [input] = manifest.inputs;
  const outputs = await session.run({
    [input.name]: new ort.Tensor(input.dtype, pixels, [number, height, width, 3]),
  });
  const rows = ({ data }) =>
    Array.from({ length: number }, (_, row) => {
      const size = data.length / number;
      return Array.from(data.subarray(row * size, (row + 1) * size));
    });
  return Object.fromEntries(manifest.outputs.map(({ name }) => [name, rows(outputs[name])]));
}
