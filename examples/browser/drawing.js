// Drawings of a person: 2D joints on the crop, and the 3D skeleton as one turns it.

const COLOURS = { left: '#2a6fdb', right: '#d9482b', middle: '#3a3a3a' };

/** The colour of a bone by the side of its lower joint. */
function colour(name) {
  return COLOURS[name.startsWith('left_') ? 'left' : name.startsWith('right_') ? 'right' : 'middle'];
}

function lines(context, manifest, places, thickness) {
  context.lineCap = 'round';
  context.lineWidth = thickness;
  for (const [parent, child] of manifest.bones) {
    context.strokeStyle = colour(manifest.joints[child]);
    context.beginPath();
    context.moveTo(...places[parent]);
    context.lineTo(...places[child]);
    context.stroke();
  }
}

/**
 * The crop with 2D joints on it.
 *
 * @param {HTMLCanvasElement} target is filled.
 * @param {HTMLCanvasElement} cropped
 * @param {object} manifest
 * @param {number[]} joints x and y of each joint, pixels of the crop from the middle of the first.
 */
export function drawCrop(target, cropped, manifest, joints) {
  const context = target.getContext('2d');
  const scale = target.width / cropped.width;
  context.imageSmoothingEnabled = true;
  context.drawImage(cropped, 0, 0, target.width, target.height);
  const places = manifest.joints.map((_, joint) => [
    (joints[2 * joint] + 0.5) * scale,
    (joints[2 * joint + 1] + 0.5) * scale,
  ]);
  lines(context, manifest, places, 4);
}

/**
 * The 3D skeleton, seen after a turn about the vertical and a nod.
 *
 * @param {HTMLCanvasElement} target is filled.
 * @param {object} manifest
 * @param {number[]} pose x to the right, y down, z away, metres, relative to the root.
 * @param {number} turn radians; at 0 it is seen as the camera sees it.
 * @param {number} nod radians, from above where positive.
 */
export function drawSkeleton(target, manifest, pose, turn, nod) {
  const context = target.getContext('2d');
  context.fillStyle = '#f4f2ee';
  context.fillRect(0, 0, target.width, target.height);
  const scale = target.height / 2.4; // pixels a metre
  const view = ([x, y, z]) => {
    const across = x * Math.cos(turn) + z * Math.sin(turn);
    const depth = z * Math.cos(turn) - x * Math.sin(turn);
    const down = y * Math.cos(nod) - depth * Math.sin(nod);
    return [target.width / 2 + scale * across, target.height * 0.46 + scale * down];
  };
  const points = manifest.joints.map((_, joint) => pose.slice(3 * joint, 3 * joint + 3));
  drawFloor(context, view, Math.max(...points.map((point) => point[1])));
  lines(context, manifest, points.map(view), 5);
  for (const [joint, point] of points.entries()) {
    context.fillStyle = colour(manifest.joints[joint]);
    context.beginPath();
    context.arc(...view(point), 4, 0, 2 * Math.PI);
    context.fill();
  }
}

function drawFloor(context, view, height) {
  context.strokeStyle = '#d5d0c6';
  context.lineWidth = 1;
  for (let step = -4; step <= 4; step++) {
    for (const ends of [
      [[step / 4, height, -1], [step / 4, height, 1]],
      [[-1, height, step / 4], [1, height, step / 4]],
    ]) {
      context.beginPath();
      context.moveTo(...view(ends[0]));
      context.lineTo(...view(ends[1]));
      context.stroke();
    }
  }
}
