/** Values of options, refused with a sentence that says what to write. */
import { InvalidArgumentError } from 'commander';

/** Returns a parser of whole numbers within the bounds, as commander takes it. */
export function wholeNumber(from: number, to: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isInteger(value) || value < from || value > to) {
      throw new InvalidArgumentError(`Write a whole number from ${from} to ${to}.`);
    }
    return value;
  };
}

/** Returns the number in `text`, which is above 0. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0) || value === Infinity) {
    throw new InvalidArgumentError('Write a number above 0, for example 2.5.');
  }
  return value;
}

/** What a timer of Node can wait for: 2^31 - 1 milliseconds; with more it would fire at once. */
const MOST_SECONDS = 2_147_483;

/** Returns the seconds in `90`, `90s`, `30m` or `2h`, at most 24 days. */
export function seconds(text: string): number {
  const [, digits, unit] = /^(\d{1,7})(s|m|h)?$/.exec(text) ?? [];
  if (digits === undefined) throw new InvalidArgumentError('Write seconds, or a time such as 90s, 30m or 2h.');
  const value = Number(digits) * (unit === 'h' ? 3600 : unit === 'm' ? 60 : 1);
  if (value > MOST_SECONDS) throw new InvalidArgumentError('Write at most 24 days: 576h.');
  return value;
}
