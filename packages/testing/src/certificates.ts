import { createHash, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { join } from 'node:path';
import {
  bitString,
  boolean,
  context,
  contextPrimitive,
  ia5String,
  integer,
  namedBits,
  objectIdentifier,
  octetString,
  sequence,
  set,
  time,
  utf8String,
} from './der-writer.ts';
import { createPrivateKey, signatureAlgorithm, type TestHash, type TestKeyAlgorithm } from './test-keys.ts';

/** Bits of RFC 5280 §4.2.1.3, in their order. */
const KEY_USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
] as const;
export type TestKeyUsage = (typeof KEY_USAGES)[number];

const EXTENDED_KEY_USAGES = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  ocspSigning: '1.3.6.1.5.5.7.3.9',
  anyExtendedKeyUsage: '2.5.29.37.0',
} as const;
export type TestExtendedKeyUsage = keyof typeof EXTENDED_KEY_USAGES;

/** An extension as it is, or one that replaces the one the CA would have made for that OID. */
export interface TestExtension {
  readonly oid: string;
  readonly critical?: boolean;
  /** DER, the contents of the OCTET STRING. */
  readonly value: Uint8Array;
}

/** What to issue. Nothing is checked: a test CA must be able to issue what no CA should. */
export interface IssueOptions {
  /**
   * Subject common name, which proves nothing (RFC 9525 §2); an empty one makes an empty subject.
   * @defaultValue the first name below, else `Test`
   */
  readonly commonName?: string;
  /** A second attribute of the subject. */
  readonly emailAddress?: string;
  readonly dnsNames?: readonly string[];
  /** Such as `_xmpp-server.a.example` (RFC 4985). */
  readonly srvNames?: readonly string[];
  /** Such as `a.example` or `romeo@a.example` (RFC 6120 §13.7.1.4). */
  readonly xmppAddrs?: readonly string[];
  readonly ipAddresses?: readonly string[];
  /** Further GeneralNames, DER. */
  readonly otherNames?: readonly Uint8Array[];
  /** @defaultValue one hour ago */
  readonly notBefore?: Date;
  /** @defaultValue in 30 days */
  readonly notAfter?: Date;
  /** Version 1 has no extensions. @defaultValue 3 */
  readonly version?: 1 | 3;
  /** cA of the basic constraints. @defaultValue false */
  readonly ca?: boolean;
  readonly pathLength?: number;
  /** @defaultValue digitalSignature, for a CA keyCertSign and cRLSign; null leaves the extension out */
  readonly keyUsage?: readonly TestKeyUsage[] | null;
  /** @defaultValue serverAuth and clientAuth, for a CA none; null leaves the extension out */
  readonly extendedKeyUsage?: readonly TestExtendedKeyUsage[] | null;
  /** @defaultValue `'p-256'` */
  readonly keyAlgorithm?: TestKeyAlgorithm;
  /** Another certificate whose key this one takes over, instead of a new one. */
  readonly keyOf?: TestCredential;
  /** Hash of the signature; without effect under an Edwards key. @defaultValue `'sha256'` */
  readonly hash?: TestHash;
  /** Under an RSA key: RSASSA-PKCS1-v1_5 or RSASSA-PSS. @defaultValue `'pkcs1'` */
  readonly rsaPadding?: 'pkcs1' | 'pss';
  /** Who signs. @defaultValue the CA's intermediate; `'self'` makes it self-signed */
  readonly signer?: TestCredential | 'self';
  readonly extensions?: readonly TestExtension[];
  /** Whether the chain holds the signers below the root. @defaultValue true */
  readonly includeIntermediate?: boolean;
}

/** A certificate with its private key and the chain to present. */
export interface TestCredential {
  /** As presented in TLS: the certificate itself, then its signers without the root. DER. */
  readonly chainDer: readonly Uint8Array[];
  readonly chainPem: string;
  /** PKCS #8. */
  readonly keyPem: string;
  /** The certificate alone, DER. */
  readonly der: Uint8Array;
  readonly pem: string;
  readonly privateKey: KeyObject;
  /** Its subject, DER of the Name: the issuer of what it signs. */
  readonly subject: Uint8Array;
  /** Its subject key identifier: the authority key identifier in what it signs. */
  readonly keyId: Uint8Array;
  readonly selfSigned: boolean;
}

/** Common faults, each enough for a refusal; `certificateVectors` has the whole table. */
export type CertificateFault =
  | 'expired'
  | 'not-yet-valid'
  | 'wrong-host'
  | 'common-name-only'
  | 'self-signed'
  | 'unknown-ca'
  | 'no-intermediate'
  | 'client-only';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** A certification authority in this process: a root and an intermediate, made anew for each test run. */
export class TestCa {
  readonly root: TestCredential;
  readonly intermediate: TestCredential;

  constructor(root: TestCredential, intermediate: TestCredential) {
    this.root = root;
    this.intermediate = intermediate;
  }

  /** The trust anchor, as an option `trust` or `ca` takes it. */
  get rootPem(): string {
    return this.root.pem;
  }

  get rootDer(): Uint8Array {
    return this.root.der;
  }

  /** Issues a certificate under the intermediate, unless `signer` says otherwise. */
  issue(options: IssueOptions = {}): Promise<TestCredential> {
    return issueCertificate({ signer: this.intermediate, ...options });
  }

  /** Issues a certificate for `domain` that every verifier must refuse. */
  async issueBad(fault: CertificateFault, domain: string): Promise<TestCredential> {
    const dnsNames = [domain];
    switch (fault) {
      case 'expired':
        return this.issue({ dnsNames, notBefore: fromNow(-2 * DAY_MS), notAfter: fromNow(-DAY_MS) });
      case 'not-yet-valid':
        return this.issue({ dnsNames, notBefore: fromNow(DAY_MS) });
      case 'wrong-host':
        return this.issue({ dnsNames: ['other.invalid'] });
      case 'common-name-only':
        return this.issue({ commonName: domain });
      case 'self-signed':
        return this.issue({ dnsNames, signer: 'self' });
      case 'unknown-ca':
        return (await createTestCa({ name: 'Unknown' })).issue({ dnsNames });
      case 'no-intermediate':
        return this.issue({ dnsNames, includeIntermediate: false });
      case 'client-only':
        return this.issue({ dnsNames, extendedKeyUsage: ['clientAuth'] });
    }
  }
}

/** What may be chosen of a {@link TestCa}. */
export interface TestCaOptions {
  /** In the subjects of root and intermediate. @defaultValue `'Test'` */
  readonly name?: string;
  /** @defaultValue `'p-256'` */
  readonly keyAlgorithm?: TestKeyAlgorithm;
}

/** Makes a test CA in a few milliseconds; its certificates are valid from one hour ago for 30 days. */
export async function createTestCa({ name = 'Test', keyAlgorithm = 'p-256' }: TestCaOptions = {}): Promise<TestCa> {
  const root = await issueCertificate({ commonName: `${name} Root CA`, ca: true, signer: 'self', keyAlgorithm });
  const intermediate = await issueCertificate({
    commonName: `${name} Intermediate CA`,
    ca: true,
    pathLength: 0,
    signer: root,
    keyAlgorithm,
  });
  return new TestCa(root, intermediate);
}

/** Where {@link writePemFiles} has written. */
export interface PemFiles {
  readonly cert: string;
  readonly key: string;
}

/** Writes `<name>.crt` (the whole chain) and `<name>.key` into a folder, which is made if need be. */
export async function writePemFiles(folder: string, name: string, credential: TestCredential): Promise<PemFiles> {
  await mkdir(folder, { recursive: true });
  const files = { cert: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
  await writeFile(files.cert, credential.chainPem);
  await writeFile(files.key, credential.keyPem, { mode: 0o600 });
  return files;
}

/** PEM of one DER certificate (RFC 7468). */
export function toPem(certificate: Uint8Array): string {
  const lines = Buffer.from(certificate)
    .toString('base64')
    .replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

/** A GeneralName of type otherName (RFC 5280 §4.2.1.6) with `value` inside. */
export function otherName(oid: string, value: Uint8Array): Uint8Array {
  return context(0, objectIdentifier(oid), context(0, value));
}

type SignedIssueOptions = IssueOptions & { readonly signer: TestCredential | 'self' };

async function issueCertificate(options: SignedIssueOptions): Promise<TestCredential> {
  const privateKey = options.keyOf?.privateKey ?? (await createPrivateKey(options.keyAlgorithm ?? 'p-256'));
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const keyId = createHash('sha256').update(spki).digest().subarray(0, 20);
  const signer = options.signer === 'self' ? null : options.signer;
  const subject = nameOf(options.commonName ?? firstNameOf(options), options.emailAddress);
  const signingKey = signer?.privateKey ?? privateKey;
  const algorithm = signatureAlgorithm(signingKey, options.hash ?? 'sha256', options.rsaPadding ?? 'pkcs1');
  const tbsCertificate = sequence(
    ...(options.version === 1 ? [] : [context(0, integer(2))]),
    integer(serialNumber()),
    algorithm.identifier,
    signer?.subject ?? subject,
    sequence(time(options.notBefore ?? fromNow(-HOUR_MS)), time(options.notAfter ?? fromNow(30 * DAY_MS))),
    subject,
    spki,
    ...(options.version === 1 ? [] : [context(3, sequence(...extensionsOf(options, keyId, signer?.keyId ?? keyId)))]),
  );
  const signature = sign(algorithm.digest, tbsCertificate, { key: signingKey, ...algorithm.padding });
  const der = sequence(tbsCertificate, algorithm.identifier, bitString(signature));
  const above = signer === null || signer.selfSigned || options.includeIntermediate === false ? [] : signer.chainDer;
  const chainDer = [der, ...above];
  return {
    chainDer,
    chainPem: chainDer.map(toPem).join(''),
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    der,
    pem: toPem(der),
    privateKey,
    subject,
    keyId,
    selfSigned: signer === null,
  };
}

function extensionsOf(options: IssueOptions, keyId: Uint8Array, signerKeyId: Uint8Array): readonly Uint8Array[] {
  const extensions = new Map<string, TestExtension>();
  const add = (extension: TestExtension): unknown => extensions.set(extension.oid, extension);
  const isCa = options.ca ?? false;
  const pathLength = options.pathLength === undefined ? [] : [integer(options.pathLength)];
  add({ oid: '2.5.29.19', critical: true, value: sequence(...(isCa ? [boolean(true), ...pathLength] : [])) });
  const keyUsage = options.keyUsage === undefined ? defaultKeyUsage(isCa) : options.keyUsage;
  if (keyUsage !== null) {
    add({ oid: '2.5.29.15', critical: true, value: namedBits(keyUsage.map((usage) => KEY_USAGES.indexOf(usage))) });
  }
  const purposes = options.extendedKeyUsage === undefined ? defaultPurposes(isCa) : options.extendedKeyUsage;
  if (purposes !== null) {
    const value = sequence(...purposes.map((purpose) => objectIdentifier(EXTENDED_KEY_USAGES[purpose])));
    add({ oid: '2.5.29.37', value });
  }
  add({ oid: '2.5.29.14', value: octetString(keyId) });
  add({ oid: '2.5.29.35', value: sequence(contextPrimitive(0, signerKeyId)) });
  const names = generalNamesOf(options);
  if (names.length > 0) add({ oid: '2.5.29.17', value: sequence(...names) });
  for (const extension of options.extensions ?? []) add(extension);
  return [...extensions.values()].map(({ oid, critical = false, value }) =>
    sequence(objectIdentifier(oid), ...(critical ? [boolean(true)] : []), octetString(value)),
  );
}

const defaultKeyUsage = (isCa: boolean): readonly TestKeyUsage[] =>
  isCa ? ['keyCertSign', 'cRLSign'] : ['digitalSignature'];
const defaultPurposes = (isCa: boolean): readonly TestExtendedKeyUsage[] | null =>
  isCa ? null : ['serverAuth', 'clientAuth'];

function generalNamesOf(options: IssueOptions): readonly Uint8Array[] {
  const { dnsNames = [], srvNames = [], xmppAddrs = [], ipAddresses = [], otherNames = [] } = options;
  return [
    ...dnsNames.map((name) => contextPrimitive(2, Buffer.from(name, 'utf8'))),
    ...srvNames.map((name) => otherName('1.3.6.1.5.5.7.8.7', ia5String(name))),
    ...xmppAddrs.map((address) => otherName('1.3.6.1.5.5.7.8.5', utf8String(address))),
    ...ipAddresses.map((address) => contextPrimitive(7, addressBytes(address))),
    ...otherNames,
  ];
}

function addressBytes(address: string): Uint8Array {
  if (isIPv4(address)) return Uint8Array.from(address.split('.').map(Number));
  const [head = '', tail] = address.split('::');
  const words = (text: string): string[] => (text === '' ? [] : text.split(':')).map((word) => word.padStart(4, '0'));
  const before = words(head);
  const after = words(tail ?? '');
  const zeros = Array<string>(8 - before.length - after.length).fill('0000');
  return Buffer.from([...before, ...zeros, ...after].join(''), 'hex');
}

function firstNameOf({ dnsNames, srvNames, xmppAddrs }: IssueOptions): string {
  return [...(dnsNames ?? []), ...(srvNames ?? []), ...(xmppAddrs ?? []), 'Test'][0] ?? 'Test';
}

function nameOf(commonName: string, emailAddress?: string): Uint8Array {
  const attribute = (oid: string, value: Uint8Array): Uint8Array => set(sequence(objectIdentifier(oid), value));
  return sequence(
    ...(commonName === '' ? [] : [attribute('2.5.4.3', utf8String(commonName))]),
    ...(emailAddress === undefined ? [] : [attribute('1.2.840.113549.1.9.1', ia5String(emailAddress))]),
  );
}

/** RFC 5280 §4.1.2.2: positive and at most 20 octets. */
function serialNumber(): Uint8Array {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes;
}

const fromNow = (milliseconds: number): Date => new Date(Date.now() + milliseconds);
