// Looks into an archive before it is sent: the zip's directory and some array headers.
// The service checks all of it again; this only spares an upload that cannot be scored.

import { parseNpyHeader } from "./npy.js";

const REWRITE = "write it again with numpy.savez_compressed";
const STORED = 0, DEFLATED = 8;
const LOOKED_INTO = 40; // members whose array header is read
const HEAD_BYTES = 4096;

async function read(file, start, length) {
  return new DataView(await file.slice(start, start + length).arrayBuffer());
}

const long = (view, at) => Number(view.getBigUint64(at, true));

async function directoryOf(file) {
  const tailSize = Math.min(file.size, 22 + 56 + 20);
  const tail = await read(file, file.size - tailSize, tailSize);
  const end = tail.byteLength - 22;
  if (end < 0 || tail.getUint32(end, true) !== 0x06054b50) {
    throw new Error(`This is not an .npz archive, or it was cut short: ${REWRITE}.`);
  }
  let entries = tail.getUint16(end + 10, true);
  let size = tail.getUint32(end + 12, true);
  let start = tail.getUint32(end + 16, true);
  if ([entries === 0xffff, size === 0xffffffff, start === 0xffffffff].includes(true) && end >= 76) {
    const record = end - 76;
    if (tail.getUint32(record, true) === 0x06064b50) {
      entries = long(tail, record + 32);
      size = long(tail, record + 40);
      start = long(tail, record + 48);
    }
  }
  if (start + size > file.size || size > 2 ** 25) {
    throw new Error(`The archive's directory is broken: ${REWRITE}.`);
  }
  return { entries, directory: await read(file, start, size) };
}

function membersOf({ entries, directory }) {
  const members = [];
  const text = new TextDecoder();
  let at = 0;
  for (let i = 0; i < entries; i++) {
    if (at + 46 > directory.byteLength || directory.getUint32(at, true) !== 0x02014b50) {
      throw new Error(`The archive's directory is broken: ${REWRITE}.`);
    }
    const flags = directory.getUint16(at + 8, true);
    const nameLength = directory.getUint16(at + 28, true);
    const extraLength = directory.getUint16(at + 30, true);
    const name = text.decode(new Uint8Array(directory.buffer, directory.byteOffset + at + 46, nameLength));
    const member = { name, method: directory.getUint16(at + 10, true), start: directory.getUint32(at + 42, true) };
    if (member.start === 0xffffffff) member.start = longStart(directory, at, nameLength, extraLength);
    if (flags & 1) throw new Error(`Member '${name}' is encrypted: save it without password.`);
    if (!name.endsWith(".npy")) {
      throw new Error(`'${name}' is not a .npy array: leave only the fields in the archive.`);
    }
    members.push(member);
    at += 46 + nameLength + extraLength + directory.getUint16(at + 32, true);
  }
  return members;
}

// The start of a member beyond 4 GB, the last of the values in its zip64 block.
function longStart(directory, at, nameLength, extraLength) {
  const end = at + 46 + nameLength + extraLength;
  for (let block = at + 46 + nameLength; block + 4 <= end; ) {
    const length = directory.getUint16(block + 2, true);
    if (directory.getUint16(block, true) === 1 && length >= 8) return long(directory, block + 4 + length - 8);
    block += 4 + length;
  }
  throw new Error(`The archive's directory is broken: ${REWRITE}.`);
}

async function headerOf(file, member) {
  const local = await read(file, member.start, 30);
  if (local.byteLength < 30 || local.getUint32(0, true) !== 0x04034b50) {
    throw new Error(`Member '${member.name}' is not where the directory says: ${REWRITE}.`);
  }
  const start = member.start + 30 + local.getUint16(26, true) + local.getUint16(28, true);
  if (member.method === STORED) {
    return parseNpyHeader(new Uint8Array(await file.slice(start, start + HEAD_BYTES).arrayBuffer()));
  }
  if (member.method !== DEFLATED) return null; // the service can read bzip2 and LZMA
  return parseNpyHeader(await inflated(file.slice(start, start + 2 ** 18)));
}

// The first bytes that a deflated piece begins with.
async function inflated(piece) {
  const reader = piece.stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const bytes = new Uint8Array(HEAD_BYTES);
  let filled = 0;
  try {
    while (filled < HEAD_BYTES) {
      const { value, done } = await reader.read();
      if (done) break;
      bytes.set(value.subarray(0, HEAD_BYTES - filled), filled);
      filled += Math.min(value.length, HEAD_BYTES - filled);
    }
  } catch {
    // Cut in the middle, as it must be; what came before it counts.
  }
  reader.cancel().catch(() => {});
  return bytes.subarray(0, filled);
}

const same = (a, b) => a.length === b.length && a.every((side, i) => side === b[i]);
const write = (shape) => `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;

// Resolves to what the archive holds; rejects with a sentence that says what is wrong.
export async function preflight(file, track) {
  if (file.size > track.limit) throw new Error(`The archive is larger than any of ${track.name} can be: save float32, compressed.`);
  const members = membersOf(await directoryOf(file));
  if (!members.length) throw new Error("The archive is empty: save the fields in it.");
  const stride = Math.max(1, Math.ceil(members.length / LOOKED_INTO));
  let dtype = "";
  for (let i = 0; i < members.length; i += stride) {
    const member = members[i];
    const name = member.name.replace(/\.npy$/, "");
    let header;
    try {
      header = await headerOf(file, member);
    } catch (error) {
      throw new Error(error.message.startsWith("Member") ? error.message : `Member '${name}' ${error.message}.`);
    }
    if (!header) continue;
    dtype = header.dtype;
    if (!/^[<>|=]?[iuf][0-9]{1,2}$/.test(dtype)) {
      throw new Error(`Array '${name}' is of ${dtype}: save real integers or floats, such as float32.`);
    }
    const stacked = members.length === 1 && same(header.shape.slice(1), track.shape);
    if (!stacked && !same(header.shape, track.shape)) {
      throw new Error(`Array '${name}' has shape ${write(header.shape)}: track ${track.name} takes ${track.count} arrays of shape ${write(track.shape)}, or one of shape ${write([track.count, ...track.shape])}.`);
    }
    if (stacked && header.fortranOrder) {
      throw new Error(`Array '${name}' is in Fortran order: pass it through numpy.ascontiguousarray.`);
    }
    if (stacked && header.shape[0] !== track.count) throw wrongCount(header.shape[0], track);
    if (stacked) return { count: track.count, dtype };
  }
  if (members.length !== track.count) throw wrongCount(members.length, track);
  return { count: members.length, dtype };
}

function wrongCount(count, track) {
  const change = count < track.count ? "add" : "remove";
  return new Error(`The archive holds ${count} fields, track ${track.name} takes ${track.count}: ${change} ${Math.abs(track.count - count)}.`);
}
