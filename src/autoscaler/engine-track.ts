/**
 * Pure: what one engine did between two looks of the scaler, from the words of all gateways. Its counters are totals of
 * its own, so that readings of different gateways make a pair.
 */
import type { EngineReport } from '../channel/messages.ts';
import { TICK_MS, type EngineSample } from './observation.ts';

/** Readings are dated by when they arrived, which is late by as much as they travelled: closer ones tell no speed. */
const LEAST_APART_MS = 1_000;
/** A gateway repeats each of its readings until the next, 5 s later. */
const REPEATED_MS = 4_000;
/** What an engine did over longer than this says little of now. */
const MOST_APART_MS = 3 * TICK_MS;
/** No engine takes in or makes more tokens a second: it would be a lie. */
const MOST_TOKENS_PER_SECOND = 1e7;

interface Reading {
  /** When the engine was read and when that was heard here, on the leader's clock. */
  atMs: number;
  heardAtMs: number;
  running: number;
  promptTokens: number;
  generatedTokens: number;
  /** Time that requests had spent in flight on it until then, in request milliseconds. */
  requestMs: number;
  /** The same of those of batches. */
  batchMs: number;
}

/** What an engine said last. */
export interface EngineGauges {
  /** Requests that wait for room in its batch or KV cache. */
  waiting: number;
  /** 0 to 1. */
  kvCacheUsage: number;
}

export class EngineTrack {
  /** When a gateway last spoke of it. */
  heardAtMs: number;
  /** The reading that the last sample ended with, and the newest. */
  #base: Reading | undefined;
  #latest: Reading | undefined;
  /** Of the readings since the base, which is one of them. */
  #runningSum = 0;
  #readings = 0;
  #gaugesAtMs = Number.NEGATIVE_INFINITY;
  #waiting = 0;
  #kvCacheUsage = 0;
  /** Some waited for room since the base. */
  #waited = false;
  #inFlight = 0;
  #batchInFlight = 0;
  #requestMs = 0;
  #batchMs = 0;
  #integratedAtMs: number;

  constructor(nowMs: number) {
    this.heardAtMs = nowMs;
    this.#integratedAtMs = nowMs;
  }

  get gauges(): EngineGauges {
    return { waiting: this.#waiting, kvCacheUsage: this.#kvCacheUsage };
  }

  /** From now on the gateways have that many requests in flight on it, and of batches that many of them. */
  inFlight(count: number, nowMs: number, ofBatches = 0): void {
    this.#requestMs += this.#inFlight * (nowMs - this.#integratedAtMs);
    this.#batchMs += this.#batchInFlight * (nowMs - this.#integratedAtMs);
    this.#integratedAtMs = nowMs;
    this.#inFlight = count;
    this.#batchInFlight = Math.min(count, ofBatches);
  }

  /** A gateway tells what the engine said. Call inFlight() before. */
  heard({ ageMs, waiting, kvCacheUsage, totals }: EngineReport, nowMs: number): void {
    this.heardAtMs = nowMs;
    if (nowMs - ageMs >= this.#gaugesAtMs) {
      this.#gaugesAtMs = nowMs - ageMs;
      this.#waiting = waiting;
      this.#kvCacheUsage = kvCacheUsage;
      this.#waited ||= waiting > 0;
    }
    if (totals === undefined) return;
    const { running, promptTokens, generatedTokens } = totals;
    const atMs = nowMs - totals.ageMs;
    const before = this.#latest;
    const [requestMs, batchMs] = [this.#requestMs, this.#batchMs];
    const reading = { atMs, heardAtMs: nowMs, running, promptTokens, generatedTokens, requestMs, batchMs };
    // Counts that went back are of an engine that started anew: nothing can be said of the time between.
    if (before === undefined || promptTokens < before.promptTokens || generatedTokens < before.generatedTokens) {
      // Unless they are those of a gateway that read it before the other and told it later.
      if (before === undefined || atMs > before.atMs + LEAST_APART_MS) this.#begin(reading);
      return;
    }
    const same = promptTokens === before.promptTokens && generatedTokens === before.generatedTokens;
    if (atMs - before.atMs < (same ? REPEATED_MS : LEAST_APART_MS)) return;
    this.#latest = reading;
    this.#runningSum += running;
    this.#readings += 1;
  }

  /** Returns what it did since the last sample; undefined where it was not read since, or not for too long. */
  takeSample(podUid: string): EngineSample | undefined {
    const [base, latest] = [this.#base, this.#latest];
    if (base === undefined || latest === undefined || base === latest) return undefined;
    const running = this.#running(base, latest);
    const batchMs = latest.batchMs - base.batchMs;
    this.#begin(latest);
    const intervalMs = latest.atMs - base.atMs;
    if (intervalMs > MOST_APART_MS) return undefined;
    const most = (MOST_TOKENS_PER_SECOND * intervalMs) / 1_000;
    return {
      podUid,
      running,
      waiting: this.#waiting,
      kvCacheUsage: this.#kvCacheUsage,
      promptTokens: Math.min(most, latest.promptTokens - base.promptTokens),
      generatedTokens: Math.min(most, latest.generatedTokens - base.generatedTokens),
      intervalMs,
      ...(batchMs > 0 && { batchShare: batchMs / (latest.requestMs - base.requestMs) }),
    };
  }

  /**
   * Where none waits for room all that is in flight runs, and its mean over time is known each second from every
   * gateway, where the engine is read every few. Where some wait the engine's batch is about as full at one reading as
   * at the next.
   */
  #running(base: Reading, latest: Reading): number {
    const heardMs = latest.heardAtMs - base.heardAtMs;
    if (this.#waited || heardMs <= 0) return this.#runningSum / this.#readings;
    return (latest.requestMs - base.requestMs) / heardMs;
  }

  #begin(reading: Reading): void {
    this.#base = reading;
    this.#latest = reading;
    this.#runningSum = reading.running;
    this.#readings = 1;
    this.#waited = this.#waiting > 0;
  }
}
