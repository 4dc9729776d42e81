import type { Detail } from '../../gateway/view/shapes.ts';
import { BASE, type Session } from '../data/api.ts';
import { Conversation } from '../data/conversation.ts';
import { formatAge, formatDate, formatMoment, NOTHING } from '../data/format.ts';
import { LIST_HREF } from '../data/route.ts';
import { conditionTone, reasonBeside, stateOf } from '../data/state.ts';
import type { LiveStore } from '../data/store.ts';
import { detailIn } from '../data/view.ts';
import { Charts } from './charts.tsx';
import { ChatBox } from './chat-box.tsx';
import { Figures } from './figures.tsx';
import { useNow } from './hooks.ts';
import { Badge } from './icons.tsx';
import { Replicas } from './replicas.tsx';
import { Screen } from './screen.tsx';
import { Snippets } from './snippets.tsx';

interface DetailScreenProps {
  id: string;
  session: Session;
  store: LiveStore;
  conversations: Map<string, Conversation>;
}

export function DetailScreen({ id, session, store, conversations }: DetailScreenProps) {
  const { view, connection } = store;
  const detail = detailIn(view);
  // Its last words stay to be read.
  const isRemoved = detail !== undefined && view.deployments?.has(id) === false;
  return (
    <Screen title={id} heading={id} isStale={connection.state === 'lost' || isRemoved}>
      <nav aria-label="Back" class="back">
        <a href={LIST_HREF}>← Active models</a>
      </nav>
      {connection.state === 'refused' && (
        <section class="empty" role="alert">
          <h2>Nothing to show</h2>
          <p>{connection.error.message} It may have been deleted, or belong to another team.</p>
          <p>
            <a href={LIST_HREF}>See what there is</a>, or deploy it: <code>infer deploy MODEL</code>
          </p>
        </section>
      )}
      {isRemoved && (
        <p role="alert" class="problem">
          This deployment was deleted. What you see is how it was last.
        </p>
      )}
      {detail === undefined && connection.state !== 'refused' && <p class="muted">Loading…</p>}
      {detail !== undefined && (
        <Sections detail={detail} store={store} session={session} conversation={conversationOf(conversations, id)} />
      )}
    </Screen>
  );
}

function conversationOf(conversations: Map<string, Conversation>, id: string): Conversation {
  let conversation = conversations.get(id);
  if (conversation === undefined) {
    conversation = new Conversation();
    conversations.set(id, conversation);
  }
  return conversation;
}

interface SectionsProps {
  detail: Detail;
  store: LiveStore;
  session: Session;
  conversation: Conversation;
}

function Sections({ detail, store, session, conversation }: SectionsProps) {
  const now = useNow(1);
  const state = stateOf(detail);
  const beside = reasonBeside(state, detail.reason);
  const { id, model, hardware_profile, namespace, created, adapters, aliases } = detail;
  return (
    <>
      <p class={`lead lead-${state.tone}`}>
        <Badge {...state} /> {beside !== undefined && <strong>{beside}</strong>} {detail.message}
      </p>
      <p class="muted facts">
        <span>{model}</span>
        <span>{hardware_profile}</span>
        <span>namespace {namespace}</span>
        {aliases.length > 0 && <span>also {aliases.join(', ')}</span>}
        <span title={formatDate(created)}>created {formatAge(created, now)} ago</span>
      </p>
      <Figures detail={detail} />
      <Charts detail={detail} samples={store.view.samples} />
      <div class="columns">
        <Replicas replicas={detail.replica_list} now={now} />
        <Decisions detail={detail} now={now} />
      </div>
      <Conditions detail={detail} now={now} />
      <div class="columns">
        <ChatBox
          conversation={conversation}
          models={[id, ...adapters.map((adapter) => `${id}:${adapter}`)]}
          isAllowed={session.scopes.includes('inference')}
        />
        <Snippets baseUrl={location.origin + BASE} model={id} />
      </div>
    </>
  );
}

function Decisions({ detail, now }: { detail: Detail; now: number }) {
  const { scaling, recent } = detail;
  return (
    <section aria-labelledby="decisions">
      <h2 id="decisions">Scaling</h2>
      <p>
        <strong>{scaling.reason || NOTHING}</strong> {scaling.message}
        {scaling.limited_by !== null && ` Limited by ${scaling.limited_by}.`}
      </p>
      {recent.length === 0 ? (
        <p class="muted">The number of replicas has not changed yet.</p>
      ) : (
        <ol class="decisions">
          {recent.map(({ time, from, to, reason, message }) => (
            <li key={`${time} ${from} ${to}`}>
              <time dateTime={new Date(time * 1000).toISOString()} title={formatDate(time)}>
                {formatMoment(time, now)}
              </time>
              <span>
                <strong>{reason}</strong> {message || `${from} → ${to}`}
              </span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

function Conditions({ detail, now }: { detail: Detail; now: number }) {
  return (
    <section aria-labelledby="conditions">
      <h2 id="conditions">Conditions</h2>
      <table class="cards conditions" role="table" aria-labelledby="conditions">
        <thead role="rowgroup">
          <tr role="row">
            {['Condition', 'Status', 'Reason and what to do', 'Since'].map((label) => (
              <th key={label} role="columnheader" scope="col">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {detail.conditions.map((condition) => (
            <tr key={condition.type} role="row">
              <th role="rowheader" scope="row">
                {condition.type}
              </th>
              <td role="cell" data-label="Status">
                <Badge word={condition.status} tone={conditionTone(condition)} />
              </td>
              <td role="cell" data-label="Reason">
                <strong>{condition.reason}</strong> {condition.message}
              </td>
              <td role="cell" data-label="Since">
                {formatAge(condition.since, now)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
