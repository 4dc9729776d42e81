/** All commands, in the order in which help lists them within a group. */
import { command as batch } from './batch.ts';
import { command as chat } from './chat.ts';
import { command as completion } from './completion.ts';
import type { CommandDefinition } from './definition.ts';
import { command as remove } from './delete.ts';
import { command as deploy } from './deploy.ts';
import { command as events } from './events.ts';
import { command as help } from './help.ts';
import { command as keys } from './keys.ts';
import { command as logs } from './logs.ts';
import { command as models } from './models.ts';
import { command as open } from './open.ts';
import { command as start } from './start.ts';
import { command as status } from './status.ts';
import { command as stop } from './stop.ts';
import { command as top } from './top.ts';
import { command as update } from './update.ts';
import { command as usage } from './usage.ts';
import { command as version } from './version.ts';

export const COMMANDS: readonly CommandDefinition[] = [
  models,
  deploy,
  update,
  stop,
  start,
  remove,
  status,
  top,
  logs,
  events,
  usage,
  open,
  chat,
  batch,
  keys,
  completion,
  version,
  help,
];
