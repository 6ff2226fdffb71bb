/**
 * Flattened device trees: written from nodes, and read back with every length and offset checked.
 *
 * Left out: `/include/`, labels and expressions (that is source text, not the blob), and versions before 16.
 * Source: Devicetree Specification 0.4, chapters 2 and 5 (blob version 17, compatible down to 16).
 *
 * @module
 */

/** A node: its name with unit address, its properties as raw bytes, and its children, all in order. */
export interface DeviceTreeNode {
  readonly name: string;
  readonly properties: ReadonlyMap<string, Uint8Array>;
  readonly children: readonly DeviceTreeNode[];
}

/** What a property may be made of: text, a list of texts, 32-bit cells, bytes, or nothing (`true`, the property is only there). */
export type DeviceTreeValue = string | readonly string[] | readonly number[] | Uint8Array | true;

const MAGIC = 0xd00dfeed;
const HEADER_BYTES = 40;
const VERSION = 17;
const COMPATIBLE_VERSION = 16;

const BEGIN_NODE = 1;
const END_NODE = 2;
const PROPERTY = 3;
const NOP = 4;
const END = 9;

/** Deeper trees are refused: real ones have some ten levels. */
const DEPTH_LIMIT = 64;

/** A 64-bit number as two cells, the high one first (section 2.2.4). */
export function cells64(value: bigint): [number, number] {
  return [Number((value >> 32n) & 0xffff_ffffn), Number(value & 0xffff_ffffn)];
}

/**
 * Makes a node.
 *
 * @param name As in the tree, with its unit address: `serial@10000000`; "" for the root.
 */
export function node(
  name: string,
  properties: Readonly<Record<string, DeviceTreeValue>>,
  children: readonly DeviceTreeNode[] = [],
): DeviceTreeNode {
  return {
    name,
    properties: new Map(Object.entries(properties).map(([key, value]) => [key, encode(value)])),
    children,
  };
}

/**
 * The same tree with properties of one node replaced or added; the node is made where it is missing.
 *
 * @param path From the root: `/chosen`.
 */
export function withProperties(
  root: DeviceTreeNode,
  path: string,
  properties: Readonly<Record<string, DeviceTreeValue>>,
): DeviceTreeNode {
  const [name, ...rest] = path.split("/").filter((part) => part !== "");
  if (name === undefined)
    return { ...root, properties: new Map([...root.properties, ...node("", properties).properties]) };
  const at = root.children.findIndex((child) => child.name === name);
  const changed = withProperties(root.children[at] ?? node(name, {}), rest.join("/"), properties);
  return { ...root, children: at < 0 ? [...root.children, changed] : root.children.with(at, changed) };
}

/** The node at a path from the root, such as `/soc/serial@10000000`. */
export function nodeAt(root: DeviceTreeNode, path: string): DeviceTreeNode | undefined {
  let found: DeviceTreeNode | undefined = root;
  for (const name of path.split("/").filter((part) => part !== "")) {
    found = found?.children.find((child) => child.name === name);
  }
  return found;
}

/**
 * Writes a blob, with an empty memory reservation block.
 *
 * @param bootHart The hart that runs first (`boot_cpuid_phys`).
 * @returns The blob; its length is `totalsize`, and is the same for trees that differ only in what cells hold.
 */
export function writeDeviceTree(root: DeviceTreeNode, bootHart = 0): Uint8Array {
  const strings = new Map<string, number>();
  let stringBytes = 0;
  const words: number[] = [];
  const text = (value: string): Uint8Array => encode(value);
  const padded = (bytes: Uint8Array): void => {
    for (let at = 0; at < bytes.length; at += 4) {
      words.push(
        (((bytes[at] ?? 0) << 24) |
          ((bytes[at + 1] ?? 0) << 16) |
          ((bytes[at + 2] ?? 0) << 8) |
          (bytes[at + 3] ?? 0)) >>>
          0,
      );
    }
  };
  const structure = (from: DeviceTreeNode): void => {
    words.push(BEGIN_NODE);
    padded(text(from.name));
    for (const [key, value] of from.properties) {
      let offset = strings.get(key);
      if (offset === undefined) {
        offset = stringBytes;
        strings.set(key, offset);
        stringBytes += text(key).length;
      }
      words.push(PROPERTY, value.length, offset);
      padded(value);
    }
    for (const child of from.children) structure(child);
    words.push(END_NODE);
  };
  structure(root);
  words.push(END);

  const structureAt = HEADER_BYTES + 16; // One reservation entry of zeroes ends the list.
  const stringsAt = structureAt + words.length * 4;
  const blob = new Uint8Array(stringsAt + stringBytes);
  const view = new DataView(blob.buffer);
  const header = [
    MAGIC,
    blob.length,
    structureAt,
    stringsAt,
    HEADER_BYTES,
    VERSION,
    COMPATIBLE_VERSION,
    bootHart,
    stringBytes,
    words.length * 4,
  ];
  for (const [at, word] of header.entries()) view.setUint32(at * 4, word);
  for (const [at, word] of words.entries()) view.setUint32(structureAt + at * 4, word);
  for (const [key, offset] of strings) blob.set(text(key), stringsAt + offset);
  return blob;
}

/**
 * Reads a blob.
 *
 * @param bytes The blob; what follows its `totalsize` is ignored.
 * @throws {RangeError} If it is not a whole, well-formed device tree.
 */
export function readDeviceTree(bytes: Uint8Array): DeviceTreeNode {
  const fail = (rule: string, found: string): RangeError =>
    new RangeError(`Cannot read device tree as ${rule}: ${found}`);
  if (bytes.length < HEADER_BYTES) throw fail(`its header has ${HEADER_BYTES} bytes`, `the file has ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const field = (index: number): number => view.getUint32(index * 4);
  if (field(0) !== MAGIC) throw fail("it must start with d00dfeed", hex(field(0)));
  const total = field(1);
  if (total > bytes.length) throw fail("it must be whole", `totalsize is ${total}, the file has ${bytes.length} bytes`);
  const [structureAt, stringsAt, version, oldest, stringBytes] = [field(2), field(3), field(5), field(6), field(8)];
  if (version < COMPATIBLE_VERSION || oldest > VERSION) {
    throw fail(`versions ${COMPATIBLE_VERSION} to ${VERSION} are known`, `version ${version}, compatible to ${oldest}`);
  }
  // Version 16 has no size of the structure block.
  const structureBytes = version >= 17 ? field(9) : total - structureAt;
  if (structureAt % 4 !== 0 || structureBytes < 0 || structureAt + structureBytes > total) {
    throw fail("its structure block must lie inside it", `offset ${structureAt}, ${structureBytes} bytes of ${total}`);
  }
  if (stringsAt + stringBytes > total) {
    throw fail("its strings block must lie inside it", `offset ${stringsAt}, ${stringBytes} bytes of ${total}`);
  }

  const end = structureAt + structureBytes;
  let at = structureAt;
  const word = (): number => {
    if (at + 4 > end) throw fail("its structure block must end with FDT_END", `it ends at offset ${at}`);
    at += 4;
    return view.getUint32(at - 4);
  };
  const take = (length: number, what: string): Uint8Array => {
    if (length > end - at) throw fail(`${what} must lie inside the structure block`, `${length} bytes at offset ${at}`);
    const taken = bytes.slice(at, at + length);
    at = Math.min(end, at + ((length + 3) & ~3));
    return taken;
  };
  const textEnd = (from: number, to: number, what: string): number => {
    const found = bytes.subarray(from, to).indexOf(0);
    if (found < 0) throw fail(`${what} must end with a zero byte`, `none from offset ${from}`);
    return found;
  };

  /** Reads the node whose FDT_BEGIN_NODE was just read. */
  const nodeFrom = (depth: number, parent: string): DeviceTreeNode => {
    if (depth > DEPTH_LIMIT) throw fail(`nodes nest at most ${DEPTH_LIMIT} deep`, `one more at offset ${at}`);
    const name = decode(take(textEnd(at, end, "a node's name") + 1, "a node's name").subarray(0, -1));
    const path = depth === 0 ? "" : `${parent}/${name}`;
    const properties = new Map<string, Uint8Array>();
    const children: DeviceTreeNode[] = [];
    const names = new Set<string>();
    for (;;) {
      const token = word();
      if (token === END_NODE) return { name, properties, children };
      if (token === PROPERTY) {
        const length = word();
        const offset = word();
        if (offset >= stringBytes) {
          throw fail(
            "a property's name must lie in the strings block",
            `offset ${offset} of ${stringBytes} in ${path || "/"}`,
          );
        }
        const from = stringsAt + offset;
        const key = decode(bytes.subarray(from, from + textEnd(from, stringsAt + stringBytes, "a property's name")));
        if (properties.has(key)) throw fail("a node has a property once", `${key} twice in ${path || "/"}`);
        properties.set(key, take(length, `property ${key}`));
      } else if (token === BEGIN_NODE) {
        const child = nodeFrom(depth + 1, path);
        if (names.has(child.name)) throw fail("children have different names", `${path}/${child.name} twice`);
        names.add(child.name);
        children.push(child);
      } else if (token !== NOP) {
        throw fail("tokens are 1, 2, 3, 4 and 9", `${token} in ${path || "/"}`);
      }
    }
  };

  let first = word();
  while (first === NOP) first = word();
  if (first !== BEGIN_NODE) throw fail("it must start with its root node", `token ${first}`);
  const root = nodeFrom(0, "");
  if (root.name !== "") throw fail("its root node has no name", JSON.stringify(root.name));
  let last = word();
  while (last === NOP) last = word();
  if (last !== END) throw fail("FDT_END must follow the root node", `token ${last}`);
  return root;
}

function encode(value: DeviceTreeValue): Uint8Array {
  if (value === true) return new Uint8Array(0);
  if (value instanceof Uint8Array) return value;
  if (typeof value === "string") {
    const bytes = new Uint8Array(value.length + 1);
    for (let at = 0; at < value.length; at++) bytes[at] = byteOf(value, at);
    return bytes;
  }
  const parts = value.map((item) => (typeof item === "string" ? encode(item) : bigEndian(item)));
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Text in the blob is bytes: characters up to U+00FF stand for themselves, so that what was read is written back as it was. */
function byteOf(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code === 0 || code > 0xff) {
    throw new RangeError(
      `Cannot write device tree as text must be single non-zero bytes: U+${code.toString(16).padStart(4, "0")} in it`,
    );
  }
  return code;
}

function decode(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function bigEndian(cell: number): Uint8Array {
  return Uint8Array.of(cell >>> 24, cell >>> 16, cell >>> 8, cell);
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}
