/** The process behind `startLoad`: obeys its parent's messages, answers with the report, and ends with its parent. */
import { LoadGenerator } from './generator.ts';
import type { LoadCommand } from './load.ts';

let generator: LoadGenerator | undefined;

process.on('message', (command: LoadCommand) => {
  if ('start' in command) {
    generator = new LoadGenerator(command.start);
    void generator.finished.then((report) => process.send?.(report, () => process.exit(0)));
  } else if ('phase' in command) {
    generator?.phase(command.phase);
  } else {
    void generator?.stop();
  }
});
process.on('disconnect', () => process.exit(1));
