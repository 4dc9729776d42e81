import { useEffect, useRef, useState } from 'preact/hooks';
import { signOut, type Session } from '../data/api.ts';
import { staysUnknown } from '../data/connection.ts';
import type { Conversation } from '../data/conversation.ts';
import { askStanding, standingAfter, type Standing } from '../data/standing.ts';
import { LiveStore } from '../data/store.ts';
import { DetailScreen } from './detail-screen.tsx';
import { useChanges, useRoute } from './hooks.ts';
import { ListScreen } from './list-screen.tsx';
import { SignIn } from './sign-in.tsx';
import { TopBar } from './top-bar.tsx';

export function App() {
  const [standing, setStanding] = useState<Standing>({ kind: 'asking' });
  // Only the answer that was asked for last counts: another may be of the session before.
  const asked = useRef(0);
  const ask = async (): Promise<void> => {
    asked.current += 1;
    const number = asked.current;
    const answer = await askStanding();
    if (number === asked.current) setStanding((before) => standingAfter(before, answer));
  };
  useEffect(() => void ask(), []);
  useEffect(() => {
    if (standing.kind !== 'signed-out' || standing.askAgainMs === undefined) return undefined;
    const timer = setTimeout(() => void ask(), standing.askAgainMs);
    return () => clearTimeout(timer);
  }, [standing]);
  if (standing.kind === 'asking') return null;
  if (standing.kind === 'signed-out') {
    return <SignIn {...(standing.notice && { notice: standing.notice })} onSignedIn={ask} />;
  }
  if (standing.kind === 'unreachable') {
    return (
      <main class="alone">
        <h1>The gateway did not answer</h1>
        <p>Check your connection, and that the gateway runs: kubectl get pods -n infer-system.</p>
        <button type="button" class="primary" onClick={() => void ask()}>
          Try again
        </button>
      </main>
    );
  }
  const onSignedOut = (notice?: string): void => {
    asked.current += 1;
    setStanding({ kind: 'signed-out', ...(notice && { notice }) });
  };
  return <SignedIn session={standing.session} onUnknown={() => void ask()} onSignedOut={onSignedOut} />;
}

interface SignedInProps {
  session: Session;
  /** The gateway has said for long that it does not know the session yet. */
  onUnknown: () => void;
  onSignedOut: (notice?: string) => void;
}

function SignedIn({ session, onUnknown, onSignedOut }: SignedInProps) {
  const [store] = useState(() => new LiveStore());
  const [conversations] = useState(() => new Map<string, Conversation>());
  useChanges(store.subscribe);
  const route = useRoute();
  const id = route.screen === 'detail' ? route.id : undefined;
  // Before the first drawing, and again for each deployment: what is drawn is never of the one before.
  const watched = useRef<string | null | undefined>(null);
  if (watched.current !== id) {
    watched.current = id;
    store.watch(id);
  }
  useEffect(
    () => () => {
      store.stop();
      for (const conversation of conversations.values()) conversation.stop();
    },
    [],
  );
  const { connection, view } = store;
  const isEnded = connection.state === 'refused' && connection.error.status === 401;
  useEffect(() => {
    if (isEnded) onSignedOut('Your session has ended: it lasts 12 hours, and no longer than its key. Sign in again.');
  }, [isEnded]);
  useEffect(() => {
    if (staysUnknown(connection)) onUnknown();
  }, [connection]);
  const leave = async (): Promise<void> => {
    // Without an answer the cookie is still there; it is not for this page to say that it is gone.
    const isOut = await signOut().then(
      () => true,
      () => false,
    );
    onSignedOut(isOut ? undefined : 'The gateway was not reached, so this browser may still be signed in.');
  };
  return (
    <>
      <TopBar session={session} connection={connection} onSignOut={() => void leave()} />
      {id === undefined ? (
        <ListScreen view={view} connection={connection} />
      ) : (
        <DetailScreen key={id} id={id} session={session} store={store} conversations={conversations} />
      )}
    </>
  );
}
