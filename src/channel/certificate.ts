/**
 * The key and certificate of one end of the load channel. They are made at the start of a process and live in its memory
 * only. No authority signs them: what ties the key to a pod is the token that names its hash (see identity.ts).
 */
import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { AsnConvert } from '@peculiar/asn1-schema';
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  Certificate,
  Name,
  RelativeDistinguishedName,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from '@peculiar/asn1-x509';

export interface ChannelCertificate {
  /** Private key and certificate in PEM, for node:tls. */
  readonly key: string;
  readonly cert: string;
  /** keyHashOf() of the public key. */
  readonly keyHash: string;
}

const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';
const COMMON_NAME = '2.5.4.3';
const TEN_YEARS_MS = 10 * 365 * 86_400_000;
const DAY_MS = 86_400_000;

/** Returns a new P-256 key with a certificate (RFC 5280) that it signed itself, valid for ten years around `now`. */
export function createCertificate(now: Date): ChannelCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signatureAlgorithm = new AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA256 });
  const commonName = new AttributeTypeAndValue({
    type: COMMON_NAME,
    value: new AttributeValue({ utf8String: 'infer load channel' }),
  });
  const name = new Name([new RelativeDistinguishedName([commonName])]);
  const serial = randomBytes(16);
  // A serial number is a positive integer without a leading zero.
  serial.writeUInt8((serial.readUInt8(0) & 0x7f) | 0x40, 0);
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: bytes(serial),
    signature: signatureAlgorithm,
    issuer: name,
    subject: name,
    // Clocks of nodes differ; nobody checks the dates, but tools that print them should not wonder.
    validity: new Validity({
      notBefore: new Date(now.getTime() - DAY_MS),
      notAfter: new Date(now.getTime() + TEN_YEARS_MS),
    }),
    subjectPublicKeyInfo: AsnConvert.parse(publicKey.export({ type: 'spki', format: 'der' }), SubjectPublicKeyInfo),
  });
  const signature = sign('sha256', Buffer.from(AsnConvert.serialize(tbsCertificate)), privateKey);
  const certificate = new Certificate({ tbsCertificate, signatureAlgorithm, signatureValue: bytes(signature) });
  const der = Buffer.from(AsnConvert.serialize(certificate));
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    cert: `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
    keyHash: keyHashOf(publicKey),
  };
}

/** Returns the SHA-256 of a public key's SubjectPublicKeyInfo, in base64url. */
export function keyHashOf(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url');
}

/** An ArrayBuffer of just these bytes: that of a small Buffer is a pool shared with others. */
function bytes(buffer: Buffer): ArrayBuffer {
  return new Uint8Array(buffer).buffer;
}
