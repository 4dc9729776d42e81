/** Processes that evaluate cells beside each other. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { CellAnswer, CellTask } from './evaluate.ts';

export interface WorkerData {
  tracePath: string;
  gpus: 2 | 4;
}

export class Pool {
  readonly #workers: ChildProcess[];

  /** Starts `size` processes, which read the trace each. */
  constructor(size: number, data: WorkerData) {
    this.#workers = Array.from({ length: size }, () =>
      fork(join(import.meta.dirname, 'worker.ts'), [JSON.stringify(data)], { serialization: 'advanced' }),
    );
  }

  /** Returns the answers in the order of the tasks; throws where a process ends. `onAnswer` is called as they come. */
  async run(tasks: readonly CellTask[], onAnswer: (answer: CellAnswer) => void): Promise<CellAnswer[]> {
    const answers: CellAnswer[] = [];
    let next = 0;
    await Promise.all(
      this.#workers.map(async (worker) => {
        for (let index = next++; index < tasks.length; index = next++) {
          const answer = await ask(worker, tasks[index] as CellTask);
          answers[index] = answer;
          onAnswer(answer);
        }
      }),
    );
    return answers;
  }

  close(): void {
    for (const worker of this.#workers) worker.disconnect();
  }
}

async function ask(worker: ChildProcess, task: CellTask): Promise<CellAnswer> {
  const waiting = new AbortController();
  const ended = once(worker, 'exit', { signal: waiting.signal }).then(() => {
    throw new Error(`A process of the bench ended while it ran ${task.spec.workload}; its output says why.`);
  });
  const answered = once(worker, 'message', { signal: waiting.signal });
  worker.send(task);
  try {
    const [answer] = (await Promise.race([answered, ended])) as [CellAnswer];
    return answer;
  } finally {
    waiting.abort();
    await Promise.allSettled([ended, answered]);
  }
}
