/**
 * CRC-32 of ISO-HDLC (the one of gzip and PNG), by table.
 *
 * It finds every single flipped bit and every burst up to 32 bits. It is no defence against somebody who forges a trace.
 * Source: W3C PNG Specification (second edition), annex D.
 *
 * @module
 */

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = remainder & 1 ? 0xedb8_8320 ^ (remainder >>> 1) : remainder >>> 1;
  return remainder >>> 0;
});

/** The checksum of `bytes`, from 0 to 2^32 - 1. */
export function crc32(bytes: Uint8Array): number {
  let remainder = -1;
  for (let i = 0; i < bytes.length; i++) remainder = TABLE[(remainder ^ bytes[i]!) & 0xff]! ^ (remainder >>> 8);
  return ~remainder >>> 0;
}
