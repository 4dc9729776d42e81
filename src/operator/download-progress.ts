/** How far downloads are, from the last lines that their containers logged. Read only while something downloads. */
import type { Pod } from '../api/kubernetes.ts';
import { DOWNLOAD_CONTAINER } from './resources/download.ts';

/** Returns the end of the log of a container of `pod`. Rejects where it cannot be had. */
export type LogTail = (pod: Pod, container: string) => Promise<string>;

/** Whether the model is being downloaded by `pod`, a replica or the pod of a Job. */
function isDownloading({ metadata, status }: Pod): boolean {
  const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  const download = containers.find(({ name }) => name === DOWNLOAD_CONTAINER);
  return metadata.deletionTimestamp === undefined && download?.state?.running !== undefined;
}

/**
 * Returns how much of the model the first of `pods` that downloads has, in percent and steps of 10; undefined where none
 * downloads. What cannot be read is as it was `shown`. Never rejects.
 */
export async function downloadedPercent(
  pods: readonly Pod[],
  tail: LogTail,
  shown: number | undefined,
): Promise<number | undefined> {
  const pod = pods.find(isDownloading);
  if (pod === undefined) return undefined;
  const text = await tail(pod, DOWNLOAD_CONTAINER).catch(() => undefined);
  if (text === undefined) return shown ?? 0;
  const last = [...text.matchAll(/^Downloaded (\d{1,3}) %/gm)].at(-1)?.[1];
  return Math.min(100, Math.floor(Number(last ?? 0) / 10) * 10);
}
