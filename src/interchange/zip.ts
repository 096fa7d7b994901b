/**
 * Zip archives of stored entries (PKWARE's APPNOTE.TXT 6.3), which is all that PyTorch writes: nothing is compressed, so
 * an archive never unpacks to more than its own length. Checksums are compared, sizes of 64 bits are read.
 */
import { check } from "../errors.js";

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
/** The end's record, and the longest comment behind it. */
const END_LENGTH = 22;
const LONGEST_COMMENT = 0xffff;
/** A field of 32 bits whose number stands in the entry's extra field of 64-bit numbers. */
const ELSEWHERE = 0xffffffff;
const EXTRA_64 = 1;

/** Whether these bytes start as a zip archive does. */
export const isZip = (bytes: Uint8Array) => bytes.length >= 4 && view(bytes).getUint32(0, true) === LOCAL;

const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The entries of an archive by name, as views of its bytes; throws an `input` error that names the file. */
export function readZip(bytes: Uint8Array, file: string): Map<string, Uint8Array> {
  const data = view(bytes);
  const damaged = `${file} is no complete zip archive; it may be cut short`;
  const within = (offset: number, length: number) => check(offset + length <= bytes.length, "input", damaged);
  const large = (offset: number) => {
    within(offset, 8);
    const value = data.getBigUint64(offset, true);
    check(value <= BigInt(bytes.length), "input", damaged);
    return Number(value);
  };
  let { count, at } = directory();
  const entries = new Map<string, Uint8Array>();
  for (; count > 0; count--) {
    within(at, 46);
    check(data.getUint32(at, true) === CENTRAL, "input", damaged);
    const method = data.getUint16(at + 10, true);
    const crc = data.getUint32(at + 16, true);
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((i) => data.getUint16(at + i, true));
    within(at + 46, nameLength + extraLength + commentLength);
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    // Uncompressed size, compressed size, place of the local header: those of 64 bits follow in this order.
    const fields = [24, 20, 42].map((i) => data.getUint32(at + i, true));
    const extra = at + 46 + nameLength;
    for (let i = extra; i + 4 <= extra + extraLength; i += 4 + data.getUint16(i + 2, true)) {
      if (data.getUint16(i, true) !== EXTRA_64) continue;
      let from = i + 4;
      fields.forEach((field, f) => {
        if (field !== ELSEWHERE) return;
        fields[f] = large(from);
        from += 8;
      });
    }
    const [size, stored, local] = fields;
    check(
      method === 0 && size === stored,
      "input",
      `${file}: '${name}' is compressed, which PyTorch never does; save the checkpoint again with torch.save`,
    );
    within(local, 30);
    check(data.getUint32(local, true) === LOCAL, "input", damaged);
    const start = local + 30 + data.getUint16(local + 26, true) + data.getUint16(local + 28, true);
    within(start, size);
    const content = bytes.subarray(start, start + size);
    check(crc32(content) === crc, "input", `${file} is damaged: the checksum of '${name}' is wrong`);
    check(!entries.has(name), "input", `${file} holds '${name}' twice`);
    entries.set(name, content);
    at += 46 + nameLength + extraLength + commentLength;
  }
  return entries;

  /** Where the central directory starts, and how many entries it has. */
  function directory(): { count: number; at: number } {
    let end = bytes.length - END_LENGTH;
    const first = Math.max(0, end - LONGEST_COMMENT);
    while (end >= first && data.getUint32(end, true) !== END) end--;
    check(end >= first, "input", damaged);
    if (end >= 20 && data.getUint32(end - 20, true) === LOCATOR_64) {
      const record = large(end - 12);
      within(record, 56);
      check(data.getUint32(record, true) === END_64, "input", damaged);
      return { count: large(record + 32), at: large(record + 48) };
    }
    return { count: data.getUint16(end + 10, true), at: data.getUint32(end + 16, true) };
  }
}

/** An archive of these entries, with the date that zip's calendar starts at. Throws `output` beyond 4 GB. */
export function writeZip(entries: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const named = [...entries].map(([name, content]) => ({ name: new TextEncoder().encode(name), content }));
  const lengths = named.map(({ name, content }) => 2 * name.length + 30 + 46 + content.length);
  const total = lengths.reduce((a, b) => a + b, END_LENGTH);
  check(
    total < ELSEWHERE,
    "output",
    `a checkpoint of ${total} bytes is more than an archive of 4 GB can hold`,
  );
  const bytes = new Uint8Array(total);
  const data = view(bytes);
  let at = 0;
  const number = (width: 2 | 4, value: number) => {
    if (width === 2) data.setUint16(at, value, true);
    else data.setUint32(at, value, true);
    at += width;
  };
  const put = (content: Uint8Array) => {
    bytes.set(content, at);
    at += content.length;
  };
  /** What the local header and the central directory say alike: version 2.0, flags, method, date, sizes. */
  const common = (name: Uint8Array, content: Uint8Array, crc: number) => {
    for (const value of [20, 0, 0, 0, 0x21]) number(2, value);
    for (const value of [crc, content.length, content.length]) number(4, value);
    for (const value of [name.length, 0]) number(2, value);
  };
  const places = named.map(({ name, content }) => {
    const place = { at, crc: crc32(content) };
    number(4, LOCAL);
    common(name, content, place.crc);
    put(name);
    put(content);
    return place;
  });
  const start = at;
  named.forEach(({ name, content }, i) => {
    number(4, CENTRAL);
    number(2, 20);
    common(name, content, places[i].crc);
    for (const value of [0, 0, 0]) number(2, value);
    for (const value of [0, places[i].at]) number(4, value);
    put(name);
  });
  const length = at - start;
  number(4, END);
  for (const value of [0, 0, named.length, named.length]) number(2, value);
  for (const value of [length, start]) number(4, value);
  number(2, 0);
  return bytes;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[i]) & 0xff];
  return ~crc >>> 0;
}
