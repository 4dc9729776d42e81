/** Numbers and times as they are shown. English, as every other text of the page. */

/** Shown where nothing is known. */
export const NOTHING = '–';

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const threeDigits = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });

/** Returns a count or rate to three digits: "0.42", "12.3", "1,240". */
export function formatNumber(value: number | null): string {
  if (value === null) return NOTHING;
  return Math.abs(value) >= 100 ? whole.format(value) : threeDigits.format(value);
}

/** Returns milliseconds as "420 ms", "1.24 s" or "2 min 5 s". */
export function formatMilliseconds(milliseconds: number | null): string {
  if (milliseconds === null) return NOTHING;
  if (milliseconds < 999.5) return `${whole.format(milliseconds)} ms`;
  if (milliseconds < 59_950) return `${threeDigits.format(milliseconds / 1000)} s`;
  const seconds = Math.round(milliseconds / 1000);
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Returns a share from 0 to 1 as "43 %". */
export function formatShare(share: number | null): string {
  return share === null ? NOTHING : `${whole.format(share * 100)} %`;
}

const STEPS = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
] as const;

/** Returns how long ago a time (Unix seconds) was, in its largest unit: "12 s", "3 h", "5 d". Clocks may differ: never below 0. */
export function formatAge(since: number | null, now: number): string {
  if (since === null) return NOTHING;
  const seconds = Math.max(0, Math.floor(now - since));
  for (const [unit, length] of STEPS) if (seconds >= length) return `${Math.floor(seconds / length)} ${unit}`;
  return `${seconds} s`;
}

/** Returns a time of day, of the reader's zone, as "14:03:07". */
export function formatTime(time: number): string {
  return new Date(time * 1000).toLocaleTimeString('en-GB');
}

/** Returns a time as "14:03:07", of another day as "23 Nov, 14:03". */
export function formatMoment(time: number, now: number): string {
  const [date, today] = [new Date(time * 1000), new Date(now * 1000)];
  if (date.toDateString() === today.toDateString()) return formatTime(time);
  return date.toLocaleString('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
}

/** Returns the time as a date with the time of day, for a reader who points at it. */
export function formatDate(time: number): string {
  return new Date(time * 1000).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });
}

/** Returns an amount, a decimal string that no float has touched, with its currency: "$3.20", "€0.0042". */
export function formatMoney(amount: string | null, currency: string): string {
  if (amount === null) return NOTHING;
  const exact = amount as Intl.StringNumericLiteral;
  const digits = Math.abs(Number(amount)) < 0.1 ? 4 : 2;
  try {
    const style = { style: 'currency', currency, maximumFractionDigits: digits } as const;
    return new Intl.NumberFormat('en', style).format(exact);
  } catch {
    // A currency that is none, or an amount that is none.
    return `${amount} ${currency}`;
  }
}

/** Returns "1 replica" or "3 replicas". */
export function counted(count: number, what: string): string {
  return `${whole.format(count)} ${what}${count === 1 ? '' : 's'}`;
}
