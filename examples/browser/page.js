// The page: choices, the box that one drags, and the pose that turns.

import { drawCrop, drawSkeleton } from './drawing.js';
import { crop, load, run } from './pose.js';

const EXPORT = './exported/';
const BOXES = { 'two_people.jpg': [533, 266, 224, 546], 'balancing.jpg': [158, 406, 599, 739] };
const element = (name) => document.getElementById(name);
const [choice, own, type, state] = ['choice', 'own', 'type', 'state'].map(element);
const [picture, cropped, skeleton] = ['picture', 'crop', 'skeleton'].map(element);

let model, image, box;
let person = null; // of the last run: its crop and outputs
const view = { turn: 0.6, nod: 0.25 };

async function open(source, itsBox) {
  image = await createImageBitmap(source);
  [picture.width, picture.height] = [image.width, image.height];
  box = itsBox ?? [0, 0, image.width, image.height];
  await predict();
}

async function openChoice() {
  const blob = await (await fetch(choice.value)).blob();
  await open(blob, BOXES[choice.value.split('/').pop()]);
}

async function predict() {
  drawPicture();
  if (!model) return;
  const { canvas, pixels } = crop(image, box, model.manifest.crop);
  const start = performance.now();
  const outputs = await run(model, pixels);
  const milliseconds = Math.round(performance.now() - start);
  person = { canvas, joints: outputs.joints[0], pose: outputs.pose[0] };
  state.textContent = `${model.manifest.weights.file}: ${milliseconds} ms`;
  cropped.width = (cropped.height * canvas.width) / canvas.height;
  drawCrop(cropped, canvas, model.manifest, person.joints);
  drawSkeleton(skeleton, model.manifest, person.pose, view.turn, view.nod);
  document.body.dataset.ready = String(Number(document.body.dataset.ready ?? 0) + 1);
}

function drawPicture() {
  const context = picture.getContext('2d');
  context.drawImage(image, 0, 0);
  context.lineWidth = image.height / 120;
  context.strokeStyle = '#ffb000';
  context.strokeRect(...box);
}

/** Calls `moved` with where a drag on a canvas began and where it is, in its pixels. */
function onDrag(canvas, moved, ended = () => {}) {
  let from = null;
  const place = (event) => [
    (event.offsetX * canvas.width) / canvas.clientWidth,
    (event.offsetY * canvas.height) / canvas.clientHeight,
  ];
  canvas.addEventListener('pointerdown', (event) => {
    from = place(event);
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointermove', (event) => from && moved(from, place(event)));
  canvas.addEventListener('pointerup', () => {
    if (from) ended();
    from = null;
  });
}

async function change(action) {
  try {
    await action();
  } catch (error) {
    state.textContent = error.message;
    document.body.dataset.error = error.message;
  }
}

async function openModel(name) {
  model = null;
  state.textContent = 'Loading the network …';
  model = await load(EXPORT, { type: name });
  const takesOnlyCrops = model.manifest.inputs.length === 1 && model.manifest.crop;
  if (!takesOnlyCrops || !model.manifest.outputs.some(({ name }) => name === 'joints')) {
    throw new Error('this page wants a network of crops alone: export pretrained/photographs');
  }
}

async function start() {
  await openModel('float32');
  const onnx = model.manifest.files.filter((one) => one.format === 'onnx');
  type.replaceChildren(...onnx.map((one) => new Option(one.type)));
  await openChoice();
}

choice.addEventListener('change', () => change(openChoice));
own.addEventListener('change', () => own.files[0] && change(() => open(own.files[0])));
type.addEventListener('change', () => change(() => openModel(type.value).then(predict)));
onDrag(
  picture,
  ([x, y], [toX, toY]) => {
    box = [Math.min(x, toX), Math.min(y, toY), Math.abs(toX - x) + 1, Math.abs(toY - y) + 1];
    drawPicture();
  },
  () => change(predict),
);
let last = null;
onDrag(
  skeleton,
  (_, [x, y]) => {
    if (last && person) {
      view.turn += (x - last[0]) / 100;
      view.nod = Math.min(1.5, Math.max(-1.5, view.nod + (y - last[1]) / 100));
      drawSkeleton(skeleton, model.manifest, person.pose, view.turn, view.nod);
    }
    last = [x, y];
  },
  () => (last = null),
);
change(start);
