import type { Session } from '../data/api.ts';
import type { Connection } from '../data/connection.ts';
import { formatTime } from '../data/format.ts';
import { LIST_HREF } from '../data/route.ts';
import { Badge, Logo } from './icons.tsx';

interface TopBarProps {
  session: Session;
  connection: Connection;
  onSignOut: () => void;
}

export function TopBar({ session, connection, onSignOut }: TopBarProps) {
  return (
    <header class="top-bar">
      <a href={LIST_HREF} class="brand">
        <Logo />
        Infer
      </a>
      {/* Spoken when it changes, which is rare. */}
      <p role="status" class="connection">
        <ConnectionBadge connection={connection} />
      </p>
      <p class="who">
        <span class="visually-hidden">Signed in with the key </span>
        {session.name} <span class="muted">in {session.namespace}</span>
      </p>
      <button type="button" onClick={onSignOut}>
        Sign out
      </button>
    </header>
  );
}

function ConnectionBadge({ connection }: { connection: Connection }) {
  switch (connection.state) {
    case 'live':
      return <Badge word="Live" tone="good" />;
    case 'connecting':
      return <Badge word="Connecting" tone="working" />;
    case 'lost':
      return (
        <>
          <Badge word={`Reconnecting. Shown as it was at ${formatTime(connection.since)}`} tone="warning" />{' '}
          {connection.why}
        </>
      );
    case 'refused':
      return <Badge word="Not updated" tone="off" />;
    default:
      return connection satisfies never;
  }
}
