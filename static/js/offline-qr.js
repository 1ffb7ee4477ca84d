// A QR symbol drawn on the device (ISO/IEC 18004): bytes, error correction L. A proof of 530 bytes is version 16, 81 squares a side;
// L because it is shown on a screen or fresh paper, and larger squares are what a cheap camera needs.

const CORRECTION = [7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28, 28, 28, 30, 30, 26, 28]; // per block, by version
const BLOCKS = [1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8, 8, 9, 9, 10, 12, 12];
const QUIET = 1; // squares; its white frame on the page (.qr) is four more
const NS = "http://www.w3.org/2000/svg";

// Powers and logarithms of the field of 256 elements over x^8 + x^4 + x^3 + x^2 + 1.
const EXP = new Uint8Array(510);
const LOG = new Uint8Array(256);
for (let i = 0, x = 1; i < 255; i++, x = (x << 1) ^ (x & 128 ? 0x11d : 0)) {
  EXP[i] = EXP[i + 255] = x;
  LOG[x] = i;
}

// `text` as an <svg>. Throws RangeError where it is longer than version 26 holds (1,367 bytes).
export function drawing(text) {
  const rows = squares(text);
  let path = "";
  rows.forEach((row, y) => row.forEach((dark, x) => (path += dark ? `M${x + QUIET} ${y + QUIET}h1v1h-1z` : "")));
  const svg = document.createElementNS(NS, "svg");
  const side = rows.length + 2 * QUIET;
  svg.setAttribute("viewBox", `0 0 ${side} ${side}`);
  svg.setAttribute("shape-rendering", "crispEdges");
  const drawn = document.createElementNS(NS, "path");
  drawn.setAttribute("d", path);
  svg.append(drawn);
  return svg;
}

// `text` as rows of true (dark) and false.
export function squares(text) {
  const bytes = new TextEncoder().encode(text);
  for (let version = 1; version <= BLOCKS.length; version++) {
    const frame = new Frame(version);
    const capacity = frame.capacity() - BLOCKS[version - 1] * CORRECTION[version - 1];
    if (bytes.length + (version < 10 ? 2 : 3) > capacity) continue;
    frame.fill(protect(padded(bytes, version, capacity), version, frame.capacity()));
    return frame.masked();
  }
  throw new RangeError(`${bytes.length} bytes are too many for a QR`);
}

// Mode, length, the bytes, an end, and filling up to the capacity.
function padded(bytes, version, capacity) {
  const bits = [];
  const push = (value, n) => {
    while (n--) bits.push((value >> n) & 1);
  };
  push(4, 4);
  push(bytes.length, version < 10 ? 8 : 16);
  for (const byte of bytes) push(byte, 8);
  push(0, 4);
  const words = [];
  for (let i = 0; i < bits.length; i += 8) words.push(Number.parseInt(bits.slice(i, i + 8).join("").padEnd(8, "0"), 2));
  for (let i = 0; words.length < capacity; i++) words.push(i % 2 ? 0x11 : 0xec);
  return words.slice(0, capacity);
}

// Reed-Solomon words for each block, all blocks interleaved.
function protect(words, version, total) {
  const count = BLOCKS[version - 1];
  const length = CORRECTION[version - 1];
  const short = Math.floor(total / count) - length;
  const longer = total % count;
  const blocks = [];
  for (let i = 0, at = 0; i < count; i++) {
    const size = short + (i >= count - longer ? 1 : 0);
    blocks.push(words.slice(at, (at += size)));
  }
  const rests = blocks.map((block) => remainder(block, length));
  const out = [];
  for (let i = 0; i <= short; i++) for (const block of blocks) if (i < block.length) out.push(block[i]);
  for (let i = 0; i < length; i++) for (const rest of rests) out.push(rest[i]);
  return out;
}

function remainder(block, length) {
  let divisor = [1];
  for (let i = 0; i < length; i++) {
    const next = [...divisor, 0];
    divisor.forEach((factor, j) => (next[j + 1] ^= times(factor, EXP[i])));
    divisor = next;
  }
  const rest = new Array(length).fill(0);
  for (const word of block) {
    const factor = word ^ rest.shift();
    rest.push(0);
    for (let i = 0; i < length; i++) rest[i] ^= times(divisor[i + 1], factor);
  }
  return rest;
}

function times(a, b) {
  return a && b ? EXP[LOG[a] + LOG[b]] : 0;
}

const MASKS = [
  (x, y) => (x + y) % 2 === 0,
  (x, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

// The square with its fixed patterns; what is not reserved carries data.
class Frame {
  constructor(version) {
    this.version = version;
    this.side = version * 4 + 17;
    this.dark = Array.from({ length: this.side }, () => new Array(this.side).fill(false));
    this.reserved = Array.from({ length: this.side }, () => new Array(this.side).fill(false));
    for (let i = 0; i < this.side; i++) {
      this.set(6, i, i % 2 === 0);
      this.set(i, 6, i % 2 === 0);
    }
    for (const [x, y] of [[3, 3], [this.side - 4, 3], [3, this.side - 4]]) this.rings(x, y, 4, [0, 1, 3]);
    const line = this.alignment();
    const last = line.length - 1;
    line.forEach((x, i) =>
      line.forEach((y, j) => {
        const corner = (i === 0 && j === 0) || (i === 0 && j === last) || (i === last && j === 0);
        if (!corner) this.rings(x, y, 2, [0, 2]);
      }),
    );
    this.format(0);
    if (version >= 7) this.number();
  }

  set(x, y, dark) {
    if (x < 0 || y < 0 || x >= this.side || y >= this.side) return;
    this.dark[y][x] = dark;
    this.reserved[y][x] = true;
  }

  // Square rings around a centre, dark at the distances named.
  rings(cx, cy, reach, dark) {
    for (let dy = -reach; dy <= reach; dy++)
      for (let dx = -reach; dx <= reach; dx++) this.set(cx + dx, cy + dy, dark.includes(Math.max(Math.abs(dx), Math.abs(dy))));
  }

  alignment() {
    if (this.version === 1) return [];
    const count = Math.floor(this.version / 7) + 2;
    const step = Math.ceil((this.side - 13) / (2 * count - 2)) * 2;
    const line = [6];
    for (let i = count - 2; i >= 0; i--) line.push(this.side - 7 - i * step);
    return line;
  }

  // Level L and the mask, twice, guarded by a code of distance 7.
  format(mask) {
    const said = (1 << 3) | mask;
    let rest = said << 10;
    for (let i = 14; i >= 10; i--) if ((rest >> i) & 1) rest ^= 0x537 << (i - 10);
    const bits = ((said << 10) | rest) ^ 0x5412;
    const bit = (i) => ((bits >> i) & 1) === 1;
    const end = this.side - 1;
    for (let i = 0; i < 15; i++) {
      const along = i < 6 ? i : i < 8 ? i + 1 : i - 15;
      this.set(8, along < 0 ? this.side + along : along, bit(i));
      const across = i < 8 ? end - i : i === 8 ? 7 : 14 - i;
      this.set(across, 8, bit(i));
    }
    this.set(8, this.side - 8, true);
  }

  number() {
    let rest = this.version << 12;
    for (let i = 17; i >= 12; i--) if ((rest >> i) & 1) rest ^= 0x1f25 << (i - 12);
    const bits = (this.version << 12) | rest;
    for (let i = 0; i < 18; i++) {
      const near = Math.floor(i / 3);
      const far = this.side - 11 + (i % 3);
      this.set(near, far, ((bits >> i) & 1) === 1);
      this.set(far, near, ((bits >> i) & 1) === 1);
    }
  }

  capacity() {
    return Math.floor(this.reserved.flat().filter((taken) => !taken).length / 8);
  }

  // Two columns at a time from the right, up and down in turn, past the vertical timing line.
  fill(words) {
    let at = 0;
    let up = true;
    for (let right = this.side - 1; right > 0; right -= 2, up = !up) {
      if (right === 6) right = 5;
      for (let i = 0; i < this.side; i++) {
        const y = up ? this.side - 1 - i : i;
        for (const x of [right, right - 1]) {
          if (this.reserved[y][x]) continue;
          this.dark[y][x] = at < words.length * 8 && ((words[at >> 3] >> (7 - (at & 7))) & 1) === 1;
          at++;
        }
      }
    }
  }

  // The mask that leaves the fewest patterns a scanner could stumble over.
  masked() {
    let best = null;
    for (let mask = 0; mask < MASKS.length; mask++) {
      this.format(mask);
      const rows = this.dark.map((row, y) => row.map((dark, x) => (this.reserved[y][x] ? dark : dark !== MASKS[mask](x, y))));
      const cost = penalty(rows);
      if (!best || cost < best.cost) best = { cost, rows };
    }
    return best.rows;
  }
}

function penalty(rows) {
  const side = rows.length;
  const columns = rows.map((_, x) => rows.map((row) => row[x]));
  let cost = 0;
  let dark = 0;
  for (const line of [...rows, ...columns]) {
    const text = line.map((on) => (on ? "1" : "0")).join("");
    for (const run of text.match(/0{5,}|1{5,}/g) ?? []) cost += run.length - 2;
    for (const finder of ["10111010000", "00001011101"]) for (let at = text.indexOf(finder); at >= 0; at = text.indexOf(finder, at + 1)) cost += 40;
  }
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++) {
      dark += rows[y][x] ? 1 : 0;
      const same = y && x && rows[y][x] === rows[y - 1][x] && rows[y][x] === rows[y][x - 1] && rows[y][x] === rows[y - 1][x - 1];
      if (same) cost += 3;
    }
  return cost + 10 * Math.floor(Math.abs((dark * 20) / (side * side) - 10));
}
