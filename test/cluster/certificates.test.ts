import { describe, expect, test } from '@jest/globals';
import { opensslConfiguration, subjectArgument } from './certificates.ts';

describe('certificate requests', () => {
  test('groups come before the name, and what openssl would read as a separator is escaped', () => {
    const request = { commonName: 'system:node:a', organizations: ['system:nodes', 'team/b', 'c\\d'] };
    expect(subjectArgument(request)).toBe('/O=system:nodes/O=team\\/b/O=c\\\\d/CN=system:node:a');
  });

  test('only an authority may sign', () => {
    expect(opensslConfiguration({ commonName: 'ca' })).toContain('CA:TRUE');
    const issuer = { certificateFile: 'ca.crt', keyFile: 'ca.key' };
    const server = opensslConfiguration({ commonName: 'a', issuer, alternativeNames: ['IP:10.0.0.1', 'DNS:a'] });
    expect(server).toContain('CA:FALSE');
    expect(server).toContain('subjectAltName = IP:10.0.0.1, DNS:a');
  });
});
