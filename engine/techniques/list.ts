/**
 * The techniques that have names, in the order in which they are listed. Each is in a file of its own; this list is all that knows of them.
 *
 * @module
 */
import type { Technique } from "../vmm/technique.ts";
import { full } from "./full.ts";
import { native } from "./native.ts";
import { para } from "./para.ts";
import { pre } from "./pre.ts";
import { rewritingInline, rewritingTrap } from "./rewriting.ts";
import { shadowed } from "./shadowed.ts";

/** Where a technique has variants, flags name it with its variant. */
export const TECHNIQUES: readonly Technique[] = [native, full, ...shadowed, rewritingTrap, rewritingInline, para, pre];
