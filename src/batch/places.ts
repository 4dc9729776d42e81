/** How many requests are under way at one time: of one namespace, and of all. */
import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify';
import { Slots, type SlotLimits } from '../process/slots.ts';
import { tooManyOfAll, tooManyOfNamespace } from './errors.ts';

type Handler = (request: FastifyRequest, reply: FastifyReply) => unknown;

export interface BoundedRoute {
  readonly onRequest: onRequestHookHandler;
  readonly handler: Handler;
}

export class Places {
  readonly #what: string;
  readonly #limits: SlotLimits;
  readonly #answerMs: number | undefined;
  readonly #slots: Slots;

  /** `what` is the plural of what is bounded; whoever has not read its answer after `answerMs` is cut off. */
  constructor(what: string, limits: SlotLimits, answerMs?: number) {
    this.#what = what;
    this.#limits = limits;
    this.#answerMs = answerMs;
    this.#slots = new Slots(limits);
  }

  /** Returns a route that is refused where no place is left; one is kept until its answer has gone and its work is done. */
  bounded(handler: Handler): BoundedRoute {
    const work = new WeakMap<FastifyRequest, Promise<void>>();
    return {
      onRequest: (request, { raw: response }, done) => {
        const give = this.#slots.take(request.tenant.namespace);
        if (give === 'ofOne') return done(tooManyOfNamespace(this.#what, this.#limits.ofOne));
        if (give === 'all') return done(tooManyOfAll(this.#what));
        const timer = this.#answerMs === undefined ? undefined : setTimeout(() => response.destroy(), this.#answerMs);
        response.once('close', () => {
          clearTimeout(timer);
          // Whoever leaves does not end what was begun.
          void Promise.resolve(work.get(request)).then(give);
        });
        done();
      },
      handler: async (request, reply) => {
        const answer = (async () => await handler(request, reply))();
        // Not the answer itself, which would be held beside what is sent of it.
        work.set(request, answer.then(nothing, nothing));
        return await answer;
      },
    };
  }
}

function nothing(): void {}
