/** One metric family as a scrape shows it, without values. */
export interface FamilyShape {
  readonly type: string;
  readonly help: string;
  /** Names of the labels, sorted, without `le`. */
  readonly labels: readonly string[];
  /** Values of every label that vLLM enumerates itself, sorted; labels whose values depend on the server are absent. */
  readonly values: Readonly<Record<string, readonly string[]>>;
  /** Upper bounds as written, in order, with +Inf; histograms only. */
  readonly buckets?: readonly string[];
}

const ENUMERATED = new Set(['engine', 'reason', 'source', 'finished_reason', 'sleep_state']);

/** Reads the vllm:* families of a /metrics text into their shapes, in order. */
export function familyShapes(text: string): Record<string, FamilyShape> {
  const blocks = text.split(/^(?=# HELP )/m).filter((block) => block.startsWith('# HELP vllm:'));
  return Object.fromEntries(blocks.map((block) => shape(block)));
}

function shape(block: string): [string, FamilyShape] {
  const [, name = '', help = ''] = /^# HELP (\S+) (.*)$/m.exec(block) ?? [];
  const [, type = ''] = /^# TYPE \S+ (\S+)$/m.exec(block) ?? [];
  const samples = block.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const labels = new Set<string>();
  const values = new Map<string, Set<string>>();
  const buckets: string[] = [];
  for (const sample of samples) {
    for (const [, label = '', value = ''] of sample.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)) {
      if (label === 'le') {
        buckets.push(value);
        continue;
      }
      labels.add(label);
      if (ENUMERATED.has(label)) values.set(label, (values.get(label) ?? new Set()).add(value));
    }
  }
  const enumerated = [...values].map(([label, found]) => [label, [...found].sort()] as const);
  return [
    name,
    {
      type,
      help,
      labels: [...labels].sort(),
      values: Object.fromEntries(enumerated),
      ...(type === 'histogram' ? { buckets } : {}),
    },
  ];
}
