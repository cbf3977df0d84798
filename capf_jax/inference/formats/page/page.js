'use strict';
// Turns the people of the data in 3D beside their video or picture. THREE is three.js, which stands
// in the page before this script; nothing is loaded from elsewhere.
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const $ = (id) => document.getElementById(id);
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const joints = new Float32Array(bytes(data.joints).buffer); // [P, T, J, 3], NaN: no pose
  const sure = bytes(data.sure); // [P, T, J]
  const [P, T, J] = [data.people.length, data.times.length, data.sides.length];
  const PIECES = 5; // of a bone; those of an unsure one have gaps between them
  const film = showFilm();

  let frame = -1; // the frame that is shown
  let time = 0; // seconds since the first frame
  let playing = false;
  let last = 0; // when the clock was read, milliseconds
  const stage = makeStage();

  const slider = $('scrub');
  slider.max = Math.max(T - 1, 0);
  $('controls').hidden = T < 2;
  slider.addEventListener('input', () => seek(Number(slider.value)));
  $('play').addEventListener('click', () => (playing ? pause() : play()));
  $('speed').addEventListener('change', () => { if (film) film.playbackRate = speed(); });
  for (const button of document.querySelectorAll('[data-view]')) {
    button.addEventListener('click', () => stage && stage.look(button.dataset.view));
  }
  addEventListener('keydown', (event) => {
    if (['INPUT', 'SELECT', 'BUTTON'].includes(event.target.tagName)) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === ' ') playing ? pause() : play();
    else if (step && T > 1) { pause(); seek(Math.min(Math.max(frame + step, 0), T - 1)); }
    else return;
    event.preventDefault();
  });
  data.people.forEach((person, p) => {
    const label = document.createElement('label');
    label.innerHTML = '<input type="checkbox" checked> <i></i>';
    const tag = label.querySelector('i');
    tag.textContent = person.number;
    tag.style.background = person.hue;
    label.firstChild.addEventListener('change', (event) => {
      person.hidden = !event.target.checked;
      if (stage) stage.show(frame);
    });
    $('people').append(label);
  });
  $('note').textContent = data.note;
  if (T) seek(0);
  requestAnimationFrame(tick);
  document.body.dataset.ready = 'yes';

  function speed() { return Number($('speed').value); }

  function play() {
    if (T < 2) return;
    if (frame >= T - 1) seek(0);
    playing = true;
    last = performance.now();
    $('play').textContent = '\u275A\u275A';
    $('play').setAttribute('aria-label', 'Pause');
    if (film && time < film.end) { film.playbackRate = speed(); film.play().catch(() => {}); }
  }

  function pause() {
    playing = false;
    $('play').textContent = '\u25B6';
    $('play').setAttribute('aria-label', 'Play');
    if (film) film.pause();
  }

  function seek(number) {
    time = data.times[number];
    // The middle of a frame's time is not another frame's after rounding.
    const next = number + 1 < T ? data.times[number + 1] : time + 1 / data.fps;
    if (film) film.currentTime = Math.min((time + next) / 2, film.end);
    show(number);
  }

  function tick(now) {
    if (playing) {
      const filmRuns = film && !film.paused && !film.ended && time < film.end;
      time = filmRuns ? film.currentTime : time + ((now - last) / 1000) * speed();
      last = now;
      let number = frame;
      while (number + 1 < T && data.times[number + 1] <= time + 1e-4) number += 1;
      show(number);
      if (number >= T - 1) pause();
    }
    if (stage) stage.draw();
    requestAnimationFrame(tick);
  }

  function show(number) {
    if (number === frame) return;
    frame = number;
    slider.value = number;
    document.body.dataset.frame = number;
    $('clock').textContent = `${data.times[number].toFixed(2)} s, frame ${data.frames[number]}`;
    if (stage) stage.show(number);
    if (film) film.cover.hidden = number < data.film.frames;
  }

  function showFilm() {
    if (!data.film) return null;
    const kind = data.film.kind;
    const element = document.createElement(kind === 'video' ? 'video' : 'img');
    const type = kind === 'video' ? 'video/mp4' : 'image/jpeg';
    element.src = URL.createObjectURL(new Blob([bytes(data.film.content)], { type }));
    $('film').hidden = false;
    $('film').append(element);
    if (kind !== 'video') return null;
    element.muted = true;
    element.playsInline = true;
    element.preload = 'auto';
    element.end = data.film.end; // seconds that the page holds of the video
    element.cover = document.createElement('p');
    element.cover.textContent = data.note;
    element.cover.hidden = true;
    $('film').append(element.cover);
    return element;
  }

  function makeStage() {
    const box = $('stage');
    let renderer;
    try {
      renderer = new THREE.WebGLRenderer({ antialias: true });
    } catch (error) {
      box.innerHTML = '<p>This browser shows no 3D (WebGL is switched off or missing); '
        + 'turn on its hardware acceleration, or open the page in another one.</p>';
      document.body.dataset.webgl = 'no';
      return null;
    }
    renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    renderer.setClearColor(0xffffff);
    box.append(renderer.domElement);
    const scene = new THREE.Scene();
    scene.add(new THREE.HemisphereLight(0xffffff, 0x9a9a9a, 2.6));
    const sun = new THREE.DirectionalLight(0xffffff, 1.2);
    sun.position.set(2, 5, 3);
    scene.add(sun);
    const centre = new THREE.Vector3(...data.centre);
    const floor = new THREE.GridHelper(2 * data.squares * 0.5, 2 * data.squares, 0xb5b5b5, 0xdedede);
    floor.position.set(centre.x, data.floor, centre.z);
    scene.add(floor);
    const eye = new THREE.PerspectiveCamera(40, 1, 0.05, 500);
    const orbit = new THREE.OrbitControls(eye, renderer.domElement);
    let isStale = true; // whether the view differs from what is drawn
    orbit.addEventListener('change', () => { isStale = true; });

    const B = data.bones.length;
    const material = () => new THREE.MeshLambertMaterial();
    const tube = new THREE.CylinderGeometry(1, 1, 1, 10);
    const ball = new THREE.SphereGeometry(1, 16, 12);
    const many = (shape, count, look) => {
      const mesh = new THREE.InstancedMesh(shape, look, Math.max(count, 1));
      mesh.count = count;
      mesh.frustumCulled = false;
      scene.add(mesh);
      return mesh;
    };
    const bones = many(tube, P * B * PIECES, material());
    const outer = many(ball, P * J, material());
    // An unsure joint is a shell of its colour that one sees from outside, around a white ball.
    const shell = many(ball, P * J, new THREE.MeshBasicMaterial({ side: THREE.BackSide }));
    const colour = (side) => new THREE.Color(data.colours[side]);
    const white = new THREE.Color(0xffffff);
    data.people.forEach((person, p) => {
      data.bones.forEach(([, , side], b) => {
        for (let k = 0; k < PIECES; k += 1) {
          bones.setColorAt((p * B + b) * PIECES + k, colour(side));
        }
      });
      data.sides.forEach((side, j) => {
        outer.setColorAt(p * J + j, colour(side));
        shell.setColorAt(p * J + j, colour(side));
      });
      person.tag = label(person);
      scene.add(person.tag);
    });

    const matrix = new THREE.Matrix4();
    const nothing = new THREE.Matrix4().makeScale(0, 0, 0);
    const up = new THREE.Vector3(0, 1, 0);
    const turn = new THREE.Quaternion();
    const place = (p, t, j) => {
      const start = 3 * ((p * T + t) * J + j);
      return new THREE.Vector3(joints[start], joints[start + 1], joints[start + 2]);
    };

    function put(number) {
      isStale = true;
      data.people.forEach((person, p) => {
        const places = data.sides.map((_, j) => place(p, number, j));
        const isThere = !person.hidden && places.every((one) => Number.isFinite(one.x));
        const isSure = (j) => sure[(p * T + number) * J + j] === 1;
        person.tag.visible = isThere;
        if (isThere) {
          const top = Math.max(...places.map((one) => one.y));
          person.tag.position.copy(places[data.root]).setY(top + 0.2);
        }
        data.bones.forEach(([from, to], b) => {
          const along = new THREE.Vector3().subVectors(places[to], places[from]);
          const length = along.length();
          const whole = isSure(from) && isSure(to);
          turn.setFromUnitVectors(up, along.clone().divideScalar(length || 1));
          for (let k = 0; k < PIECES; k += 1) {
            const row = (p * B + b) * PIECES + k;
            if (!isThere || !length) { bones.setMatrixAt(row, nothing); continue; }
            const middle = places[from].clone().addScaledVector(along, (k + 0.5) / PIECES);
            const share = whole ? 1.02 : 0.55;
            const size = new THREE.Vector3(0.02, (share * length) / PIECES, 0.02);
            bones.setMatrixAt(row, matrix.compose(middle, turn, size));
          }
        });
        places.forEach((one, j) => {
          const row = p * J + j;
          const solid = isThere ? matrix.makeScale(0.034, 0.034, 0.034).setPosition(one) : nothing;
          outer.setMatrixAt(row, solid);
          outer.setColorAt(row, isSure(j) ? colour(data.sides[j]) : white);
          const hollow = isThere && !isSure(j);
          shell.setMatrixAt(row,
            hollow ? matrix.makeScale(0.046, 0.046, 0.046).setPosition(one) : nothing);
        });
      });
      for (const mesh of [bones, outer, shell]) {
        mesh.instanceMatrix.needsUpdate = true;
        if (mesh.instanceColor) mesh.instanceColor.needsUpdate = true;
      }
    }

    function look(view) {
      const away = data.radius / Math.sin((Math.PI / 180) * 20) * Math.max(1, 1 / eye.aspect);
      const way = new THREE.Vector3(...data.eye).sub(centre);
      orbit.target.copy(centre);
      if (view === 'filmed') {
        eye.position.set(...data.eye);
        orbit.target.copy(eye.position).addScaledVector(new THREE.Vector3(...data.ahead), way.length());
      } else {
        way.setY(0);
        if (way.length() < 1e-6) way.set(0, 0, 1);
        way.normalize();
        const angle = { left: -90, right: 90, start: 25 }[view] || 0;
        way.applyAxisAngle(up, (Math.PI / 180) * angle);
        if (view === 'start') way.setY(0.35).normalize();
        if (view === 'above') way.multiplyScalar(0.02).setY(1).normalize();
        eye.position.copy(centre).addScaledVector(way, away);
      }
      eye.fov = view === 'filmed' ? data.angle : 40;
      eye.updateProjectionMatrix();
      orbit.update();
      isStale = true;
    }

    function resize() {
      const [width, height] = [box.clientWidth, box.clientHeight];
      renderer.setSize(width, height);
      eye.aspect = width / Math.max(height, 1);
      eye.updateProjectionMatrix();
      isStale = true;
    }
    new ResizeObserver(resize).observe(box);
    resize();
    look('start');
    const draw = () => {
      orbit.update();
      if (isStale) renderer.render(scene, eye);
      isStale = false;
    };
    return { show: put, look, draw };
  }

  function label(person) {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [128, 64];
    const pen = canvas.getContext('2d');
    pen.fillStyle = person.hue;
    pen.fillRect(0, 0, 128, 64);
    pen.fillStyle = '#fff';
    pen.font = 'bold 46px sans-serif';
    pen.textAlign = 'center';
    pen.textBaseline = 'middle';
    pen.fillText(person.number, 64, 34, 120);
    const texture = new THREE.CanvasTexture(canvas);
    texture.colorSpace = THREE.SRGBColorSpace;
    const sprite = new THREE.Sprite(new THREE.SpriteMaterial({ map: texture }));
    sprite.scale.set(0.2, 0.1, 1);
    return sprite;
  }
})();
