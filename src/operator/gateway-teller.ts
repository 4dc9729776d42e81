/**
 * What the leader says to gateways: the live figures of what their readers look at, once a second, and the sealing keys
 * that other gateways made. To a gateway without readers it says nothing.
 */
import type { Tell } from '../channel/client.ts';
import {
  DEPLOYMENTS_PER_LINE,
  DETAILS_PER_LINE,
  type LiveDeployment,
  type Report,
  type Watch,
} from '../channel/messages.ts';
import { SealingKeys } from '../channel/sealing-keys.ts';
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
import { HISTORY_STEP_MS, type LiveView, type Moment } from './live-view.ts';

const TICK_MS = 1_000;
/** A gateway whose readers look at something else all the time is answered no more often. */
const ANSWER_MS = 200;
const TICKS_PER_STEP = HISTORY_STEP_MS / TICK_MS;

interface Gateway {
  readonly tell: Tell;
  /** It reads too slowly to be told more now. */
  readonly isCongested: () => boolean;
  watch: Watch | undefined;
  /** When a watch was answered last, besides each second. */
  answeredAtMs: number;
  /** Until a newer watch is answered. */
  answer: NodeJS.Timeout | undefined;
  /** Details whose history was told on this connection. */
  readonly historyTold: Set<string>;
  /** The version of the watch that was told last that there is nothing: that is not said twice. */
  silentFor: number | undefined;
  /** It hands sealing keys around, and has not been told all of them. */
  wantsKeys: boolean;
  /** It has spoken of keys: one of before does not, and is told none. */
  knowsKeys: boolean;
}

export class GatewayTeller {
  readonly #view: LiveView;
  readonly #now: () => Moment;
  readonly #keys = new SealingKeys();
  readonly #gateways = new Map<string, Gateway>();
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;
  /** What was answered last besides each second, and when. */
  #answers: { atMs: number; of: LiveAnswers };

  constructor(view: LiveView, now: () => Moment) {
    this.#view = view;
    this.#now = now;
    this.#answers = { atMs: Number.NEGATIVE_INFINITY, of: new LiveAnswers(view, now()) };
  }

  /** Tells and keeps once a second from now on, until stop(). */
  start(): void {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const podUid of this.#gateways.keys()) this.disconnected(podUid);
  }

  /** A gateway is connected, by another connection than before. */
  connected(podUid: string, tell: Tell, isCongested: () => boolean): void {
    this.disconnected(podUid);
    this.#gateways.set(podUid, {
      tell,
      isCongested,
      watch: undefined,
      answeredAtMs: Number.NEGATIVE_INFINITY,
      answer: undefined,
      historyTold: new Set(),
      silentFor: undefined,
      wantsKeys: false,
      knowsKeys: false,
    });
  }

  disconnected(podUid: string): void {
    clearTimeout(this.#gateways.get(podUid)?.answer);
    this.#gateways.delete(podUid);
  }

  /** Takes what a gateway says besides its load, and answers a new watch at once, if it is not one of many. */
  heard(podUid: string, { watch, sealingKeys }: Pick<Report, 'watch' | 'sealingKeys'>): void {
    const gateway = this.#gateways.get(podUid);
    if (gateway === undefined) return;
    if (sealingKeys !== undefined) this.#takeKeys(podUid, gateway, sealingKeys);
    if (watch === undefined) return;
    gateway.watch = watch;
    const histories = historiesOf(watch);
    for (const uid of gateway.historyTold) if (!histories.has(uid)) gateway.historyTold.delete(uid);
    const waitMs = gateway.answeredAtMs + ANSWER_MS - this.#now().nowMs;
    if (waitMs <= 0) this.#answer(gateway);
    else gateway.answer ??= setTimeout(() => this.#answer(gateway), waitMs);
  }

  #answer(gateway: Gateway): void {
    const moment = this.#now();
    gateway.answer = undefined;
    gateway.answeredAtMs = moment.nowMs;
    this.#tellLive(gateway, this.#answersAt(moment));
  }

  /** Returns figures that are no older than what a gateway is told most often: many that ask share them. */
  #answersAt(moment: Moment): LiveAnswers {
    if (moment.nowMs - this.#answers.atMs < ANSWER_MS) return this.#answers.of;
    this.#view.notice(moment.nowMs);
    this.#answers = { atMs: moment.nowMs, of: new LiveAnswers(this.#view, moment) };
    return this.#answers.of;
  }

  #takeKeys(podUid: string, gateway: Gateway, keys: NonNullable<Report['sealingKeys']>): void {
    const isNew = this.#keys.add(keys, { podUid }, this.#now().timeMs);
    gateway.knowsKeys = true;
    gateway.wantsKeys = true;
    if (isNew) for (const each of this.#gateways.values()) each.wantsKeys = each.knowsKeys;
    for (const each of this.#gateways.values()) this.#tellKeys(each);
  }

  #tellKeys(gateway: Gateway): void {
    if (!gateway.wantsKeys) return;
    const sealingKeys = this.#keys.all();
    if (sealingKeys.length === 0 || gateway.tell({ type: 'heartbeat', sealingKeys })) gateway.wantsKeys = false;
  }

  #tick(): void {
    this.#ticks += 1;
    const moment = this.#now();
    if (this.#ticks % TICKS_PER_STEP === 0) this.#view.keep(moment);
    const answers = new LiveAnswers(this.#view, moment);
    for (const gateway of this.#gateways.values()) {
      this.#tellKeys(gateway);
      this.#tellLive(gateway, answers);
    }
  }

  #tellLive(gateway: Gateway, answers: LiveAnswers): void {
    const { watch } = gateway;
    // The next second says what is not said now; the figures are not even computed.
    if (watch === undefined || gateway.isCongested()) return;
    const { version, namespaces, details } = watch;
    const histories = historiesOf(watch);
    const detailed = details.flatMap((uid) => answers.detail(uid) ?? []);
    const known = new Set(details);
    const listed = namespaces.length === 0 ? [] : answers.reachedFrom(namespaces).filter(({ uid }) => !known.has(uid));
    if (detailed.length + listed.length === 0) {
      if (gateway.silentFor === version) return;
      const said = gateway.tell({ type: 'heartbeat', live: { watch: version, more: false, deployments: [] } });
      if (said) gateway.silentFor = version;
      return;
    }
    gateway.silentFor = undefined;
    const withHistory = detailed.map((live) =>
      histories.has(live.uid) && !gateway.historyTold.has(live.uid)
        ? { ...live, history: this.#view.history(live.uid) }
        : live,
    );
    const parts = [...chunks(withHistory, DETAILS_PER_LINE), ...chunks(listed, DEPLOYMENTS_PER_LINE)];
    for (const [index, deployments] of parts.entries()) {
      const live = { watch: version, more: index < parts.length - 1, deployments };
      if (!gateway.tell({ type: 'heartbeat', live })) return;
      for (const { uid, history } of deployments) if (history !== undefined) gateway.historyTold.add(uid);
    }
  }
}

/** The figures of one moment, each made once however many gateways watch. */
class LiveAnswers {
  readonly #view: LiveView;
  readonly #moment: Moment;
  readonly #summaries = new Map<string, LiveDeployment | undefined>();
  readonly #details = new Map<string, LiveDeployment | undefined>();
  #active: InferenceDeployment[] | undefined;

  constructor(view: LiveView, moment: Moment) {
    this.#view = view;
    this.#moment = moment;
  }

  detail(uid: string): LiveDeployment | undefined {
    return once(this.#details, uid, () => this.#view.detail(uid, this.#moment));
  }

  /** Those with requests in the last 15 minutes that keys of one of `namespaces` may reach. */
  reachedFrom(namespaces: readonly string[]): LiveDeployment[] {
    const from = new Set(namespaces);
    this.#active ??= this.#view.active();
    return this.#active.flatMap(({ metadata: { uid = '', namespace = '' }, spec: { allowKeysFrom } }) => {
      if (!from.has(namespace) && allowKeysFrom?.some((allowed) => from.has(allowed)) !== true) return [];
      return once(this.#summaries, uid, () => this.#view.summary(uid, this.#moment)) ?? [];
    });
  }
}

function historiesOf({ details, histories = details }: Watch): Set<string> {
  return new Set(histories);
}

function once<T>(known: Map<string, T>, key: string, make: () => T): T {
  if (!known.has(key)) known.set(key, make());
  return known.get(key) as T;
}

function* chunks<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size);
}
