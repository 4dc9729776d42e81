/** Returns a function that calls `act` at once, and again at most every `intervalMs`, however often it is called. */
export function paced(act: () => void, intervalMs: number): () => void {
  let isWaiting = false;
  let isDue = false;
  const tick = (): void => {
    isWaiting = isDue;
    if (!isDue) return;
    isDue = false;
    setTimeout(tick, intervalMs);
    act();
  };
  return () => {
    isDue = true;
    if (!isWaiting) tick();
  };
}
