import { existsSync, readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import type { VllmArguments } from './arguments.ts';
import { ModelError } from './model.ts';

/**
 * Checks the adapters as vLLM does when it starts; a path that is not absolute stands for one on the hub.
 * @throws ModelError with the message of vLLM's own error.
 */
export function checkLoraModules(args: VllmArguments): void {
  const names = new Set(args.servedModelNames);
  for (const { name, path } of args.loraModules) {
    if (names.has(name)) throw refused(`The lora adapter '${name}' conflicts with a served base model.`);
    if (!args.loraEnabled) throw refused(failedCall('LoRA is not enabled. Use --enable-lora to enable LoRA.'));
    if (isAbsolute(path)) checkFiles(name, path, args.maxLoraRank);
    names.add(name);
  }
}

function checkFiles(name: string, path: string, maxRank: number): void {
  const missing = refused(`Loading lora ${name} failed: No adapter found for ${path}`);
  let rank: unknown;
  try {
    rank = (JSON.parse(readFileSync(join(path, 'adapter_config.json'), 'utf8')) as { r?: unknown }).r;
  } catch {
    throw missing;
  }
  if (typeof rank !== 'number') throw refused(failedCall("Missing required configuration fields: {'r'}"));
  if (rank > maxRank) throw refused(failedCall(`LoRA rank ${rank} is greater than max_lora_rank ${maxRank}.`));
  if (!existsSync(join(path, 'adapter_model.safetensors'))) throw missing;
}

function failedCall(text: string): string {
  return `Call to add_lora method failed: ${text}`;
}

function refused(message: string): ModelError {
  return new ModelError('ValueError', 'APIServer', message);
}
