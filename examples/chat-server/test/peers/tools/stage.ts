import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestCa, type TestCa } from '@stanzaport/testing';

/** The password of every account in these tests. */
export const PASSWORD = 'wherefore art thou';

/** A folder of its own for a test, and the CA that its peers trust. */
export class Stage implements Disposable {
  readonly folder: string;
  readonly ca: TestCa;
  /** PEM file with the root. */
  readonly caFile: string;

  private constructor(folder: string, ca: TestCa) {
    this.folder = folder;
    this.ca = ca;
    this.caFile = join(folder, 'ca.pem');
    writeFileSync(this.caFile, ca.rootPem);
  }

  static async set(): Promise<Stage> {
    return new Stage(mkdtempSync(join(tmpdir(), 'peers-')), await createTestCa());
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
