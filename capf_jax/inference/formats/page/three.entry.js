// The parts of three.js that page.js uses; README.md says how they are bundled.
export {
  BackSide, CanvasTexture, Color, CylinderGeometry, DirectionalLight, GridHelper, HemisphereLight,
  InstancedMesh, Matrix4, MeshBasicMaterial, MeshLambertMaterial, PerspectiveCamera, Quaternion,
  SRGBColorSpace, Scene, SphereGeometry, Sprite, SpriteMaterial, Vector3, WebGLRenderer,
} from 'three';
export { OrbitControls } from 'three/examples/jsm/controls/OrbitControls.js';
