/**
 * Writes a tar archive of the POSIX kind (ustar): what the block device of a Linux guest holds, as every busybox reads it.
 *
 * Equal files give equal bytes: all times are 0, and root owns all.
 *
 * Left out: folders, links, names of more than 99 characters, sizes from 8 GiB.
 * Source: POSIX.1-2017, pax, "ustar Interchange Format".
 *
 * @module
 */

const BLOCK_BYTES = 512;
/** Two blocks of zeros end the archive. */
const END_BYTES = 2 * BLOCK_BYTES;
const CHECKSUM_AT = 148;

/**
 * Makes an archive of plain files.
 *
 * @param files Contents by name, in the order that they are written.
 * @param sizeBytes How long the archive shall be; zeros fill it.
 * @throws {RangeError} If a name does not fit, or the files do not.
 */
export function writeUstar(files: Readonly<Record<string, Uint8Array>>, sizeBytes: number): Uint8Array {
  const archive = new Uint8Array(sizeBytes);
  let at = 0;
  for (const [name, bytes] of Object.entries(files)) {
    if (!/^[\x21-\x7e]{1,99}$/.test(name)) {
      throw new RangeError(
        `Cannot archive ${JSON.stringify(name)} as a name must be 1 to 99 printable ASCII characters: it is not`,
      );
    }
    const end = at + BLOCK_BYTES + Math.ceil(bytes.length / BLOCK_BYTES) * BLOCK_BYTES;
    if (end + END_BYTES > sizeBytes) {
      throw new RangeError(
        `Cannot archive ${name} as the archive must be of ${sizeBytes} bytes: its files take ${end + END_BYTES}`,
      );
    }
    archive.set(header(name, bytes.length), at);
    archive.set(bytes, at + BLOCK_BYTES);
    at = end;
  }
  return archive;
}

function header(name: string, size: number): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES);
  const put = (at: number, text: string): void => block.set(new TextEncoder().encode(text), at);
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, "0")}\0`;
  put(0, name);
  put(100, octal(0o644, 7));
  put(108, octal(0, 7)); // uid
  put(116, octal(0, 7)); // gid
  put(124, octal(size, 11));
  put(136, octal(0, 11)); // mtime
  put(156, "0"); // a regular file
  put(257, "ustar\x0000");
  put(265, "root");
  put(297, "root");
  // The checksum counts its own field as spaces.
  put(CHECKSUM_AT, " ".repeat(8));
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(CHECKSUM_AT, `${octal(sum, 6)} `);
  return block;
}
