// Reads the header of a NumPy array (format 1 to 3).

const MAGIC = "\x93NUMPY";

// What the header says, from the first bytes of an array; throws an Error that says what is wrong.
export function parseNpyHeader(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || String.fromCharCode(...bytes.subarray(0, 6)) !== MAGIC) {
    throw new Error("is not a NumPy array: save it with numpy.savez");
  }
  const short = bytes[6] === 1;
  const start = short ? 10 : 12;
  const length = short ? view.getUint16(8, true) : view.getUint32(8, true);
  const text = new TextDecoder("latin1").decode(bytes.subarray(start, start + length));
  const dtype = /'descr': *'([^']*)'/.exec(text)?.[1];
  const order = /'fortran_order': *(True|False)/.exec(text)?.[1];
  const shape = /'shape': *\(([0-9, ]*)\)/.exec(text)?.[1];
  if (dtype === undefined || order === undefined || shape === undefined) {
    throw new Error("has a header that cannot be read: save plain numeric arrays");
  }
  return {
    length: start + length,
    dtype,
    fortranOrder: order === "True",
    shape: shape.split(",").map((part) => part.trim()).filter(Boolean).map(Number),
  };
}

// A whole array of uint8: its shape and its values.
export function parseNpy(buffer) {
  const bytes = new Uint8Array(buffer);
  const { length, shape } = parseNpyHeader(bytes);
  return { shape, data: bytes.subarray(length) };
}
