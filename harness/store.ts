/**
 * Guest images beside traces, by the SHA-256 of their bytes: `images/<sha256>`. What is there already is not written again.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { reasonOf, writeWhole } from "./files.ts";

/** The SHA-256 of bytes, in hexadecimal. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Where images are kept and found again. */
export interface ImageStore {
  /** Keeps an image. @param hash Its SHA-256, where that is known already. @returns Its SHA-256. */
  put(bytes: Uint8Array, hash?: string): string;
  /** @throws {RangeError} If the store has no such image, or its bytes are not those that the name says. */
  get(hash: string): Uint8Array;
}

/** The store that belongs to a trace: a folder beside it. */
export function storeBeside(tracePath: string): ImageStore {
  const folder = join(dirname(tracePath), "images");
  return {
    put(bytes, hash = sha256(bytes)) {
      const path = join(folder, hash);
      // A name that is taken holds these bytes, unless somebody changed them: then they are put right.
      if (!existsSync(path) || Buffer.compare(readFileSync(path), bytes) !== 0) writeWhole(path, bytes);
      return hash;
    },
    get(hash) {
      const path = join(folder, hash);
      let bytes: Uint8Array;
      try {
        bytes = readFileSync(path);
      } catch (error) {
        throw new RangeError(
          `Cannot read image ${hash} as traces need images/ beside them: ${path}: ${reasonOf(error)}`,
          {
            cause: error,
          },
        );
      }
      return checked(bytes, hash, path);
    },
  };
}

/** A store in memory, for runs that leave no files. */
export function memoryStore(): ImageStore {
  const images = new Map<string, Uint8Array>();
  return {
    put(bytes, hash = sha256(bytes)) {
      if (!images.has(hash)) images.set(hash, bytes.slice());
      return hash;
    },
    get(hash) {
      const bytes = images.get(hash);
      if (bytes === undefined) throw new RangeError(`Cannot read image ${hash} as it must have been kept: it was not`);
      return bytes;
    },
  };
}

function checked(bytes: Uint8Array, hash: string, path: string): Uint8Array {
  const found = sha256(bytes);
  if (found === hash) return bytes;
  throw new RangeError(`Cannot use image ${path} as its name must be the SHA-256 of its bytes: that is ${found}`);
}
