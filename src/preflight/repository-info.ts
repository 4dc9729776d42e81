/** What the hub tells of a repository, as far as we read it. */
export interface RepositoryInfo {
  /** 40 hex digits. */
  readonly commit: string;
  readonly gated: boolean;
  readonly license: string | undefined;
  /** Of the weights' parameters, how many are stored as 32-bit floats; undefined where the hub has not counted. */
  readonly float32Parameters: number | undefined;
}

/** Returns what an answer of the route for a model says, or undefined where it is no such answer. */
export function repositoryInfo(body: unknown): RepositoryInfo | undefined {
  const { sha, gated, cardData, safetensors } = fields(body);
  if (typeof sha !== 'string' || !/^[0-9a-f]{40}$/.test(sha)) return undefined;
  const { parameters } = fields(safetensors);
  const float32 = fields(parameters)['F32'] ?? 0;
  return {
    commit: sha,
    // `false`, or who decides: 'auto' or 'manual'.
    gated: gated !== undefined && gated !== false,
    license: license(fields(cardData)),
    float32Parameters:
      typeof parameters === 'object' && Number.isSafeInteger(float32) && Number(float32) >= 0
        ? Number(float32)
        : undefined,
  };
}

function license(card: Readonly<Record<string, unknown>>): string | undefined {
  const { license: id, license_name: name } = card;
  const first: unknown = Array.isArray(id) ? id[0] : id;
  const chosen = first === 'other' && typeof name === 'string' ? name : first;
  return typeof chosen === 'string' && /^[\x20-\x7e]+$/.test(chosen) ? chosen.slice(0, 128) : undefined;
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
