import { X509Certificate } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { createCertificate, keyHashOf } from './certificate.ts';

const NOW = new Date('2026-01-01T00:00:00Z');

test('a certificate is signed by its own key and holds at its time', () => {
  const { cert, keyHash } = createCertificate(NOW);
  const certificate = new X509Certificate(cert);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(certificate.validFromDate.getTime()).toBeLessThan(NOW.getTime());
  expect(certificate.validToDate.getTime()).toBeGreaterThan(NOW.getTime());
  expect(keyHashOf(certificate.publicKey)).toBe(keyHash);
});

test('each has a key of its own', () => {
  expect(createCertificate(NOW).keyHash).not.toBe(createCertificate(NOW).keyHash);
});
