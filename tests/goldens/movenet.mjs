// Runs a published MoveNet graph by its own runtime, TensorFlow.js on its plain CPU backend.
//
//   node movenet.mjs JOB.json
//
// The job names the folder of the npm package @tensorflow/tfjs (4.22.0), the graph's JSON file, a
// file of the picture's bytes with its shape, the nodes to run, and the folder that gets one file
// of float32 numbers and one of the shape for each node. tests/goldens/movenet.py calls it.

import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const job = JSON.parse(readFileSync(process.argv[2]));
const tf = createRequire(path.resolve(job.tfjs, 'package.json'))('@tensorflow/tfjs');

const graph = JSON.parse(readFileSync(job.graph));
const folder = path.dirname(job.graph);
const parts = graph.weightsManifest.flatMap((group) => group.paths);
const bytes = Buffer.concat(parts.map((part) => readFileSync(path.join(folder, part))));
const model = await tf.loadGraphModel({
  load: async () => ({
    modelTopology: graph.modelTopology,
    format: graph.format,
    signature: graph.signature,
    weightSpecs: graph.weightsManifest.flatMap((group) => group.weights),
    weightData: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength),
  }),
});

await tf.setBackend('cpu');
const image = tf.tensor(new Int32Array(readFileSync(job.image)), job.shape, 'int32');
const outputs = await model.executeAsync({ [job.input]: image }, job.nodes);
for (const [i, output] of [outputs].flat().entries()) {
  writeFileSync(path.join(job.out, `${i}.bin`), Buffer.from((await output.data()).buffer));
  writeFileSync(path.join(job.out, `${i}.json`), JSON.stringify(output.shape));
}
