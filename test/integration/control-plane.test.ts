import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { existsSync } from 'node:fs';
import { run, tryRun } from '../cluster/command.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { KUBERNETES_VERSION } from '../cluster/binaries.ts';
import { waitFor } from '../cluster/wait.ts';

describe('a control plane without nodes', () => {
  let controlPlane: ControlPlane;
  const kubectl = async (args: string[], kubeconfig = controlPlane.kubeconfig): Promise<string> =>
    await run(controlPlane.kubectl, ['--kubeconfig', kubeconfig, ...args]);

  beforeAll(async () => {
    controlPlane = await startControlPlane({ controllerManager: true, scheduler: true });
  }, 900_000);
  afterAll(async () => await controlPlane.stop());

  test('serves the pinned Kubernetes version', async () => {
    expect(JSON.parse(await kubectl(['get', '--raw', '/version']))).toMatchObject({ gitVersion: KUBERNETES_VERSION });
  });

  test('its controllers run: a Deployment gets a ReplicaSet and a pod that waits for a node', async () => {
    await kubectl(['create', 'deployment', 'web', '--image=localhost/none:1']);
    const condition = await waitFor('the scheduler refusing the pod', async () => {
      const text = await kubectl(['get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].status.conditions}']);
      return text.includes('PodScheduled') ? text : undefined;
    });
    expect(condition).toContain('no nodes available');
  }, 40_000);

  test('a user without a role may do nothing, and with a role what it allows', async () => {
    const kubeconfig = await controlPlane.kubeconfigFor({ name: 'alice', groups: ['team-a', 'team/b'] });
    const get = ['--kubeconfig', kubeconfig, 'get', 'pods', '-n', 'default'];
    const refused = await tryRun(controlPlane.kubectl, get);
    expect(refused.stderr).toContain('User "alice" cannot list resource "pods"');
    await kubectl(['create', 'rolebinding', 'view', '--clusterrole=view', '--group=team/b']);
    await waitFor('the role taking effect', async () => {
      return (await tryRun(controlPlane.kubectl, get)).code === 0 ? true : undefined;
    });
    const whoami = await kubectl(['auth', 'whoami', '-o', 'json'], kubeconfig);
    expect(JSON.parse(whoami)).toMatchObject({
      status: { userInfo: { username: 'alice', groups: ['team-a', 'team/b', 'system:authenticated'] } },
    });
  }, 40_000);

  test('pod security is enforced where a namespace asks for it', async () => {
    await kubectl(['create', 'namespace', 'secured']);
    await kubectl(['label', 'namespace', 'secured', 'pod-security.kubernetes.io/enforce=restricted']);
    const pod = ['--kubeconfig', controlPlane.kubeconfig, '-n', 'secured', 'run', 'root', '--image=localhost/none:1'];
    expect((await tryRun(controlPlane.kubectl, pod)).stderr).toContain('violates PodSecurity "restricted:latest"');
  });

  test('the API server keeps its address and data when it is killed and started again', async () => {
    const before = controlPlane.apiServer.pid;
    await kubectl(['create', 'configmap', 'kept', '--from-literal=a=b']);
    await controlPlane.apiServer.kill('SIGKILL');
    expect(controlPlane.apiServer.pid).toBeUndefined();
    expect((await tryRun(controlPlane.kubectl, ['--kubeconfig', controlPlane.kubeconfig, 'get', 'ns'])).code).not.toBe(
      0,
    );
    await controlPlane.apiServer.start();
    expect(controlPlane.apiServer.pid).not.toBe(before);
    expect(await kubectl(['get', 'configmap', 'kept', '-o', 'jsonpath={.data.a}'])).toBe('b');
  }, 60_000);
});

test('a control plane leaves no process and no file when it stops', async () => {
  const controlPlane = await startControlPlane();
  const pids = [controlPlane.apiServer.pid, controlPlane.etcd.pid];
  await controlPlane.stop();
  expect(existsSync(controlPlane.directory)).toBe(false);
  expect(pids.map((pid) => existsSync(`/proc/${pid}`))).toEqual([false, false]);
}, 60_000);
