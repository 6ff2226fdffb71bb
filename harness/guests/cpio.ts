/**
 * Writes a cpio archive of the "new ASCII" kind (newc), as Linux unpacks its initial RAM file system from.
 *
 * Equal entries give equal bytes, in whatever order they come: inodes count from 1 in the order of names, all times are 0, root owns all.
 * It stays uncompressed, as a guest would spend some thirty million instructions on inflating it.
 *
 * Left out: hard links, sockets and FIFOs, the checksummed variant (070702).
 * Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst; cpio(5).
 *
 * @module
 */

/** A file in the archive. Its name has no leading slash; folders come before what is in them by the order of names. */
export type CpioEntry =
  | { readonly name: string; readonly kind: "folder" }
  | { readonly name: string; readonly kind: "file"; readonly bytes: Uint8Array; readonly executable?: boolean }
  | { readonly name: string; readonly kind: "link"; readonly target: string }
  | { readonly name: string; readonly kind: "character-device"; readonly major: number; readonly minor: number };

// Types and permissions in c_mode (inode(7)).
const FOLDER = 0o040755;
const EXECUTABLE = 0o100755;
const DATA = 0o100644;
const LINK = 0o120777;
const CHARACTER_DEVICE = 0o020600;

const MAGIC = "070701";
/** The name of the entry that ends the archive. */
const TRAILER = "TRAILER!!!";

/**
 * Makes an archive.
 *
 * @param entries In any order.
 * @throws {RangeError} If a name is empty, absolute or there twice, or its folder is not in the archive.
 */
export function writeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const sorted = [...entries].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  checkNames(sorted);
  const pieces: Uint8Array[] = [];
  sorted.forEach((entry, index) => {
    const { mode, bytes, device } = contentOf(entry);
    // A folder counts the names that lead to it: its own, and "." in it.
    pieces.push(
      ...member(entry.name, bytes, { inode: index + 1, mode, links: entry.kind === "folder" ? 2 : 1, device }),
    );
  });
  pieces.push(...member(TRAILER, NOTHING, { inode: 0, mode: 0, links: 1, device: NO_DEVICE }));
  const archive = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    archive.set(piece, at);
    at += piece.length;
  }
  return archive;
}

function checkNames(sorted: readonly CpioEntry[]): void {
  const folders = new Set<string>();
  let last: string | undefined;
  for (const { name, kind } of sorted) {
    const folder = name.slice(0, Math.max(name.lastIndexOf("/"), 0));
    if (name === "" || name.split("/").includes("") || /[^\x20-\x7e]/.test(name)) {
      throw new RangeError(
        `Cannot archive ${JSON.stringify(name)} as a name must be a relative path in printable ASCII: it is not`,
      );
    }
    if (name === last) throw new RangeError(`Cannot archive ${name} as a name stands for one file: it is there twice`);
    if (folder !== "" && !folders.has(folder))
      throw new RangeError(`Cannot archive ${name} as its folder must be in the archive too: ${folder} is not`);
    if (kind === "folder") folders.add(name);
    last = name;
  }
}

const NOTHING = new Uint8Array(0);
const NO_DEVICE = { major: 0, minor: 0 };

function contentOf(entry: CpioEntry): {
  readonly mode: number;
  readonly bytes: Uint8Array;
  readonly device: { readonly major: number; readonly minor: number };
} {
  switch (entry.kind) {
    case "folder":
      return { mode: FOLDER, bytes: NOTHING, device: NO_DEVICE };
    case "file":
      return { mode: entry.executable === true ? EXECUTABLE : DATA, bytes: entry.bytes, device: NO_DEVICE };
    case "link":
      return { mode: LINK, bytes: new TextEncoder().encode(entry.target), device: NO_DEVICE };
    case "character-device":
      return { mode: CHARACTER_DEVICE, bytes: NOTHING, device: entry };
  }
}

/** A header of 110 characters, the name with its NUL, and the content; name and content are padded to a multiple of 4. */
function member(
  name: string,
  bytes: Uint8Array,
  {
    inode,
    mode,
    links,
    device,
  }: {
    readonly inode: number;
    readonly mode: number;
    readonly links: number;
    readonly device: { readonly major: number; readonly minor: number };
  },
): Uint8Array[] {
  // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
  const fields = [inode, mode, 0, 0, links, 0, bytes.length, 0, 0, device.major, device.minor, name.length + 1, 0];
  const hexadecimal = fields.map((field) => field.toString(16).toUpperCase().padStart(8, "0")).join("");
  const head = `${MAGIC}${hexadecimal}${name}\0`;
  return [
    new TextEncoder().encode(head.padEnd(roundUp(head.length), "\0")),
    bytes,
    new Uint8Array(roundUp(bytes.length) - bytes.length),
  ];
}

function roundUp(bytes: number): number {
  return (bytes + 3) & ~3;
}
