import { readFileSync } from 'node:fs';
import { brotliDecompressSync } from 'node:zlib';

/** One test of NIST's PKITS. */
export interface PkitsTest {
  /** As in NIST's document, such as `4.1.1`; parts of one test share it. */
  readonly number: string;
  readonly title: string;
  readonly anchor: Uint8Array;
  /** As TLS presents it: end-entity first. */
  readonly chain: readonly Uint8Array[];
  readonly crls: readonly Uint8Array[];
  readonly valid: boolean;
}

interface PkitsFile {
  readonly tests: readonly {
    readonly number: string;
    readonly title: string;
    readonly anchor: string;
    /** From below the anchor to the end entity. */
    readonly path: readonly string[];
    readonly crls: readonly string[];
    readonly valid: boolean;
  }[];
  /** DER in base64, by name. */
  readonly certificates: Readonly<Record<string, string>>;
  readonly crls: Readonly<Record<string, string>>;
}

/** All tests of the fixture; its README tells where they are from. */
export function readPkits(): readonly PkitsTest[] {
  const compressed = readFileSync(new URL('../fixtures/pkits/pkits.json.br', import.meta.url));
  const file: PkitsFile = JSON.parse(brotliDecompressSync(compressed).toString());
  const certificate = (name: string): Uint8Array => Buffer.from(file.certificates[name] ?? '', 'base64');
  return file.tests.map(({ number, title, anchor, path, crls, valid }) => ({
    number,
    title,
    anchor: certificate(anchor),
    chain: [...path].reverse().map(certificate),
    crls: crls.map((name) => Buffer.from(file.crls[name] ?? '', 'base64')),
    valid,
  }));
}
