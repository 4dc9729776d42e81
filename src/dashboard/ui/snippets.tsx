import { useRef, useState } from 'preact/hooks';
import { snippets, type Snippet } from '../data/snippets.ts';

/** Tabs as the ARIA practices have them: one stop for Tab, arrows between them. */
export function Snippets({ baseUrl, model }: { baseUrl: string; model: string }) {
  const all = snippets(baseUrl, model);
  const [shown, setShown] = useState(0);
  const tabs = useRef<(HTMLButtonElement | null)[]>([]);
  const snippet = all[shown];
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = (shown + step + all.length) % all.length;
    setShown(next);
    tabs.current[next]?.focus();
  };
  return (
    <section aria-labelledby="snippets" class="snippets">
      <h2 id="snippets">Call it from your program</h2>
      <div role="tablist" aria-labelledby="snippets" onKeyDown={onKeyDown}>
        {all.map(({ language }, index) => (
          <button
            key={language}
            ref={(element) => {
              tabs.current[index] = element;
            }}
            type="button"
            role="tab"
            id={`tab-${language}`}
            aria-controls="snippet"
            aria-selected={index === shown}
            tabIndex={index === shown ? 0 : -1}
            onClick={() => setShown(index)}
          >
            {language}
          </button>
        ))}
      </div>
      {snippet !== undefined && <Code key={snippet.language} snippet={snippet} />}
      <p class="muted">
        Put your key into the environment variable <code>INFER_API_KEY</code>: it does not belong into code.
      </p>
    </section>
  );
}

function Code({ snippet: { language, setUp, code } }: { snippet: Snippet }) {
  const text = useRef<HTMLPreElement>(null);
  const [said, setSaid] = useState('');
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(code);
      setSaid('Copied.');
    } catch {
      // Without TLS browsers have no clipboard.
      if (text.current !== null) getSelection()?.selectAllChildren(text.current);
      setSaid('Marked: press Ctrl+C or ⌘C.');
    }
  };
  return (
    <div id="snippet" role="tabpanel" aria-labelledby={`tab-${language}`}>
      <p class="muted">
        <code>{setUp}</code>
      </p>
      <pre ref={text} tabIndex={0} aria-label={`Example in ${language}`}>
        {code}
      </pre>
      <p class="copy">
        <button type="button" onClick={() => void copy()}>
          Copy
        </button>
        <span role="status" class="muted">
          {said}
        </span>
      </p>
    </div>
  );
}
