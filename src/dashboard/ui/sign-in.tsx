import { useEffect, useRef, useState } from 'preact/hooks';
import { signIn, signInProblem } from '../data/api.ts';
import { Logo } from './icons.tsx';
import { expectScreen } from './screen.tsx';

/** The key is in the field until the form is sent, and nowhere else. */
export function SignIn({ notice, onSignedIn }: { notice?: string; onSignedIn: () => Promise<void> }) {
  const field = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState<string>();
  const [isSending, setIsSending] = useState(false);
  useEffect(() => {
    document.title = 'Sign in – Infer';
    field.current?.focus();
  }, []);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const key = field.current?.value.trim() ?? '';
    if (key === '') {
      setProblem('Paste your API key first.');
      field.current?.focus();
      return;
    }
    setIsSending(true);
    setProblem(undefined);
    try {
      await signIn(key);
      if (field.current !== null) field.current.value = '';
      expectScreen();
      await onSignedIn();
    } catch (error) {
      setProblem(signInProblem(error));
      field.current?.select();
    } finally {
      // Also where another gateway answers that does not know of it yet: the form is still there.
      setIsSending(false);
    }
  };
  return (
    <main class="alone">
      <Logo />
      <h1>Sign in to Infer</h1>
      {notice !== undefined && <p role="status">{notice}</p>}
      <form onSubmit={(event) => void submit(event)}>
        <label for="key">API key</label>
        <input
          id="key"
          ref={field}
          type="password"
          autocomplete="current-password"
          spellcheck={false}
          aria-invalid={problem !== undefined}
          aria-describedby={problem === undefined ? 'key-hint' : 'key-problem key-hint'}
        />
        {problem !== undefined && (
          <p id="key-problem" class="problem" role="alert">
            {problem}
          </p>
        )}
        <button type="submit" class="primary" disabled={isSending}>
          {isSending ? 'Signing in…' : 'Sign in'}
        </button>
        <p id="key-hint" class="muted">
          A key with the scope <code>view</code>. To chat it needs <code>inference</code>, too; with <code>admin</code>{' '}
          it also sees nodes and cost. Make one with <code>infer keys create</code>.
        </p>
      </form>
    </main>
  );
}
