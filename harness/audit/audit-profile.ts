/**
 * Everything that a report says of one profile: the audit, its litmus guests, and a guest under full virtualization, sound or not.
 *
 * @module
 */
import { full } from "../../engine/mod.ts";
import type { Identity, ProfileAudit } from "../comparison.ts";
import type { Guest } from "../guests/mod.ts";
import { profileNamed } from "../names.ts";
import { record } from "../record.ts";
import { verify } from "../verify.ts";
import { type Audit, audit } from "./audit.ts";
import { type Litmus, runLitmus } from "./litmus.ts";

/** An audit as comparisons carry it. */
export function auditSummary(audited: Audit, litmus: readonly Litmus[] | null, run: Identity | null): ProfileAudit {
  const { profile, verdict, classes, instructions } = audited;
  return {
    profile,
    verdict,
    classes,
    violators: instructions
      .filter(({ observed }) => observed === "control-sensitive" || observed === "behaviour-sensitive")
      .map(({ mnemonic, csr, observed }) => ({ mnemonic, csr, class: observed })),
    disagreements: instructions.filter(({ agrees }) => !agrees).length,
    litmus:
      litmus === null ? null : { detected: litmus.filter(({ detected }) => detected).length, total: litmus.length },
    run,
  };
}

/**
 * Audits a profile, runs its litmus guests, then records a guest there on the bare machine and replays it under `full`.
 *
 * @param name Of the profile.
 * @param guest What is run.
 * @throws {RangeError} As `record` and `audit` do.
 */
export async function auditProfile(name: string, guest: Guest): Promise<ProfileAudit> {
  const profile = profileNamed(name);
  const audited = audit(profile);
  const litmus = runLitmus(profile, audited);
  const tape = await record({ guest, profile: name });
  const { identity } = await verify(tape, { technique: full, unsound: true, sink: null });
  return auditSummary(audited, litmus, identity);
}

/** @returns What of an audit speaks against the prediction or the theorem, in words. */
export function beliedBy({ profile, verdict, disagreements, litmus, run }: ProfileAudit): readonly string[] {
  const virtualizable = verdict === "virtualizable";
  return [
    ...(disagreements > 0 ? [`on ${profile}, ${disagreements} instructions are of another class than predicted`] : []),
    ...(litmus !== null && litmus.detected < litmus.total
      ? [`on ${profile}, ${litmus.total - litmus.detected} litmus guests saw nothing`]
      : []),
    ...(run !== null && run.equal !== virtualizable
      ? [
          `${profile} is ${virtualizable ? "" : "not "}virtualizable, but full was ${run.equal ? "" : "not "}exact there`,
        ]
      : []),
  ];
}
