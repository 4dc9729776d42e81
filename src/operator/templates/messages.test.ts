import { expect, test } from '@jest/globals';
import { hintingAtUpdate, holdingUp } from './messages.ts';

const failed = { status: 'False' as const, reason: 'ImagePullFailed', message: 'Kubernetes cannot pull image x.' };

test('a failure of a deployment whose turn it is says that others wait for it', () => {
  const { message, ...rest } = holdingUp(failed, 'holds', 'gpu.a100');
  expect(rest).toEqual({ status: 'False', reason: 'ImagePullFailed' });
  expect(message).toMatch(/^Kubernetes cannot pull image x\. .*no other deployment of profile gpu\.a100/);
});

test('neither a turn that goes well nor a failure that holds nobody up is changed', () => {
  const going = { ...failed, status: 'True' as const };
  expect(holdingUp(going, 'holds', 'gpu.a100')).toBe(going);
  expect(holdingUp(failed, 'waits', 'gpu.a100')).toBe(failed);
  expect(holdingUp(failed, undefined, 'gpu.a100')).toBe(failed);
});

test('where nothing serves and nothing moves, something newer is pointed at', () => {
  const update = { available: true, reasons: ['HardwareProfile'] };
  expect(hintingAtUpdate(failed, failed, update).message).toMatch(
    /^Kubernetes cannot pull image x\. .*spec\.restartedAt/,
  );
  const going = { ...failed, status: 'True' as const };
  expect(hintingAtUpdate(failed, failed, undefined)).toBe(failed);
  // One that loads may come to serve as it is.
  expect(hintingAtUpdate(failed, going, update)).toBe(failed);
  expect(hintingAtUpdate(going, failed, update)).toBe(going);
});
