/**
 * Pure: which pod template a deployment runs. It is the one that was made when the user last asked for something new,
 * kept in a ControllerRevision; what an upgraded Infer or an edited profile would make now is taken only when the user
 * changes the spec again, or where the profile says `rollout: Auto`. See docs/design/0009-frozen-templates.md.
 */
import type { InferenceDeployment, InferenceDeploymentStatus } from '../../api/generated/inference-deployment.ts';
import type { ControllerRevision, Deployment, PodTemplate } from '../../api/kubernetes.ts';
import { canonicalJson } from '../../kube/hash.ts';
import {
  hasSettledOn,
  holdsTurn,
  isRevisionOf,
  nameOf,
  newestRevision,
  ownRevisions,
  readBack,
  type Frozen,
  type TemplateRevision,
} from './revisions.ts';
import { newerThan, type Sources } from './sources.ts';
import { specKey } from './spec-key.ts';

export interface TemplateInput {
  resource: InferenceDeployment;
  /** What would be made now. */
  rendered: PodTemplate;
  sources: Sources;
  /** The commit that the model's revision was resolved to, where it was. */
  commit?: string | undefined;
  revisions: readonly ControllerRevision[];
  /** The live one; undefined before the first apply. */
  deployment: Deployment | undefined;
  /** The replicas of the live one fail, all of them: with something newer nothing is lost. */
  failed?: boolean;
  /** Whether the profile lets newer templates be taken without a change of the spec. */
  auto: boolean;
  /** No other deployment of the profile is taking one. */
  turnIsFree: boolean;
}

/** In the row of a profile's deployments that take newer templates by themselves, one at a time. */
export type Standing =
  /** It has taken one and has not settled since. */
  | 'holds'
  /** It would take one, and another deployment's turn is not over. */
  | 'waits'
  | 'none';

export interface TemplatePlan {
  /** The revision to have as the newest, with the template to run. */
  revision: TemplateRevision;
  /** Older ones to be deleted once the template runs. */
  obsolete: ControllerRevision[];
  /** For the status; absent where what runs is what would be made now. */
  update?: NonNullable<InferenceDeploymentStatus['update']>;
  standing: Standing;
}

/** Returns the template for the deployment, and whether there is a newer one. */
export function planTemplate(input: TemplateInput): TemplatePlan {
  const { auto, commit, deployment, rendered, resource, sources } = input;
  const own = ownRevisions(resource, input.revisions);
  const key = specKey(resource.spec);
  const fresh: Frozen = { key, template: rendered, sources, ...(commit !== undefined && { commit }) };
  const known = own.find(({ data }) => data.key === key && isOfCommit(data, commit));
  const frozen = known?.data ?? readBack(resource, deployment, fresh);
  if (frozen === undefined) return { ...newestRevision(resource, own, fresh), standing: 'none' };

  const holds = known !== undefined && known === own[0] && holdsTurn(known, deployment);
  if (canonicalJson(frozen.template) === canonicalJson(rendered)) {
    return { ...newestRevision(resource, own, frozen, holds), standing: holds ? 'holds' : 'none' };
  }
  // Of the live Deployment, which may have another template than the one that the spec asks for.
  if (input.failed === true && isRevisionOf(deployment, nameOf(resource, frozen))) {
    return { ...newestRevision(resource, own, fresh, holds), standing: holds ? 'holds' : 'none' };
  }
  const standing = holds ? 'holds' : standingOf(input, frozen);
  if (auto && standing === 'holds') return { ...newestRevision(resource, own, fresh, true), standing };
  const reasons = [...newerThan(frozen.sources, sources), ...(standing === 'waits' ? ['WaitingForTurn'] : [])];
  return { ...newestRevision(resource, own, frozen, holds), update: { available: true, reasons }, standing };
}

/** Of a deployment that could take a newer template. One that does not serve would tell nothing about it. */
function standingOf({ auto, deployment, resource, turnIsFree }: TemplateInput, frozen: Frozen): Standing {
  if (!auto || !hasSettledOn(deployment, nameOf(resource, frozen))) return 'none';
  return turnIsFree ? 'holds' : 'waits';
}

/** A commit that becomes known, or is forgotten, is nothing that the user asked for. */
function isOfCommit(frozen: Frozen, commit: string | undefined): boolean {
  return commit === undefined || frozen.commit === undefined || commit === frozen.commit;
}
