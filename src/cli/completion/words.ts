/** Pure: what can stand at the cursor, by the tree of commands. */
import type { Command, Option } from 'commander';

/** What is looked up in the cluster. */
export type Lookup = 'id' | 'profile' | 'model';

export interface Candidates {
  words: string[];
  lookup?: Lookup;
}

const LOOKUPS: readonly string[] = ['id', 'profile', 'model'] satisfies Lookup[];

/** Returns what can stand in place of the last of `words`, which are those behind `infer`; unfiltered by what it begins with. */
export function candidates(program: Command, words: readonly string[]): Candidates {
  const before = words.slice(0, -1);
  let command = program;
  let operands = 0;
  for (let index = 0; index < before.length; index++) {
    const word = before[index] ?? '';
    if (word.startsWith('-')) {
      if (takesValue(optionOf(command, word)) && !word.includes('=')) index++;
      continue;
    }
    const next = operands === 0 ? command.commands.find((one) => one.name() === word) : undefined;
    if (next === undefined) operands++;
    else command = next;
  }
  const current = words.at(-1) ?? '';
  const last = before.at(-1) ?? '';
  const previous = last.includes('=') ? undefined : optionOf(command, last);
  if (takesValue(previous)) return valuesOf(previous);
  if (current.startsWith('-')) return { words: optionsOf(command).map((option) => option.long ?? option.short ?? '') };
  if (command.commands.length > 0) return { words: command.commands.map((one) => one.name()) };
  const argument =
    command.registeredArguments[operands] ?? command.registeredArguments.findLast(({ variadic }) => variadic);
  if (argument === undefined) return { words: [] };
  return lookupOr(argument.name(), argument.argChoices);
}

function optionsOf(command: Command): Option[] {
  const inherited = command.parent === null ? [] : optionsOf(command.parent);
  return [...command.options, ...inherited];
}

function optionOf(command: Command, word: string): Option | undefined {
  const name = word.split('=')[0] ?? '';
  return optionsOf(command).find(({ long, short }) => name !== '' && (long === name || short === name));
}

function takesValue(option: Option | undefined): option is Option {
  return option !== undefined && (option.required || option.optional);
}

function valuesOf(option: Option): Candidates {
  const name = /[<[]([^>\]]+)[>\]]/.exec(option.flags)?.[1] ?? '';
  return lookupOr(name, option.argChoices);
}

function lookupOr(name: string, choices: readonly string[] | undefined): Candidates {
  if (choices !== undefined) return { words: [...choices] };
  return LOOKUPS.includes(name) ? { words: [], lookup: name as Lookup } : { words: [] };
}
