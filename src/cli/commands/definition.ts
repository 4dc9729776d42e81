/** What a command's module exports. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';

/** Headings of `infer --help`, in their order. */
export const GROUPS = ['Deployments', 'Watching', 'Requests', 'Setting up'] as const;

/**
 * Does the work of a command: `args` in the order of its arguments, `options` as commander names them, the global ones
 * among them.
 */
export type Action<Options> = (context: Context, args: string[], options: Options) => Promise<void>;

/** Makes a handler for commander's `action` of an Action. */
export type Run = <Options>(action: Action<Options>) => (...args: unknown[]) => Promise<void>;

export interface CommandDefinition {
  name: string;
  summary: string;
  group: (typeof GROUPS)[number];
  /**
   * Adds arguments, options, subcommands and the action. The action imports its work when it is called, so that `--help`
   * loads nothing else. An argument or a value named `<id>` is completed with the names of deployments.
   */
  configure(command: Command, run: Run): void;
}
