/** What a program of ours that runs in a Job or an init container shares with the others. */
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { DownloadFailure } from './failure.ts';

const environment = process.env;

/**
 * Returns the value of an environment variable.
 * @throws DownloadFailure InvalidSettings where it is missing.
 */
export function setting(name: string): string {
  const value = environment[name];
  if (value !== undefined && value !== '') return value;
  throw new DownloadFailure('InvalidSettings', `The environment variable ${name} is not set.`);
}

/** Returns the text of an error without the token, should any message ever hold it. */
export function sentenceOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const token = environment['HF_TOKEN']?.trim();
  return token === undefined || token === '' ? text : text.replaceAll(token, '[token]');
}

/** Writes a text where Kubernetes reads why a container ended. */
export function writeTerminationMessage(text: string): void {
  try {
    // Never made here: the kubelet has made it, and anywhere else there is none to write.
    const file = openSync(environment['INFER_TERMINATION_LOG'] ?? '/dev/termination-log', 'r+');
    ftruncateSync(file);
    writeSync(file, text);
    closeSync(file);
  } catch {
    // What there is to say stands in the log as well.
  }
}
