import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const script = fileURLToPath(new URL('../check-imports.mjs', import.meta.url));

describe('the rule of imports', () => {
  let top: string;

  beforeEach(() => {
    top = mkdtempSync(join(tmpdir(), 'check-imports-'));
    manifest('packages/core', { peerDependencies: { rxjs: '*', inversify: '*' } });
    manifest('packages/tls-shared', {
      dependencies: { '@stanzaport/core': '*' },
      peerDependencies: { inversify: '*' },
    });
    manifest('packages/quic-transport', {
      dependencies: { '@stanzaport/core': '*', '@stanzaport/tls-shared': '*', '@matrixai/quic': '*' },
      devDependencies: { '@stanzaport/testing': '*' },
    });
  });

  afterEach(() => rmSync(top, { recursive: true, force: true }));

  function write(file: string, ...lines: string[]): void {
    mkdirSync(dirname(join(top, file)), { recursive: true });
    writeFileSync(join(top, file), `${lines.join('\n')}\n`);
  }

  function manifest(folder: string, dependencies: object): void {
    const name = folder.replace('packages/', '@stanzaport/');
    write(`${folder}/package.json`, JSON.stringify({ name, ...dependencies }));
  }

  function check(): { code: number | null; breaches: string[] } {
    const { status, stderr } = spawnSync(process.execPath, [script, top], { encoding: 'utf8' });
    return { code: status, breaches: stderr.split('\n').filter((line) => /^\S+:\d+: /.test(line)) };
  }

  test('lets downward imports, types in a circle, modules and the engine pass', () => {
    write(
      'packages/core/src/a.ts',
      "import type { B } from './b.ts';",
      "import { map } from 'rxjs';",
      'export type A = B;',
    );
    write('packages/core/src/b.ts', "import { a } from './a.ts';", "import type { Container } from 'inversify';");
    write('packages/core/src/module.ts', "import { ContainerModule } from 'inversify';");
    write('packages/tls-shared/src/index.ts', "export { a } from '@stanzaport/core';");
    write('packages/quic-transport/src/engine/quiche.ts', "import { native } from '@matrixai/quic';");
    write('packages/quic-transport/src/index.test.ts', "import { ca } from '@stanzaport/testing';", "import 'vitest';");
    expect(check()).toEqual({ code: 0, breaches: [] });
  });

  test('finds a circle of value imports, also through a re-export and a dynamic import', () => {
    write('packages/core/src/a.ts', '// from here', "export { b } from './b.ts';");
    write('packages/core/src/b.ts', "export const b = () => import('./c.ts');");
    write('packages/core/src/c.ts', 'import {', '  type A,', '  a,', "} from './a.ts';");
    expect(check()).toEqual({
      code: 1,
      breaches: [
        'packages/core/src/a.ts:2: circle: packages/core/src/a.ts -> packages/core/src/b.ts -> packages/core/src/c.ts -> packages/core/src/a.ts',
      ],
    });
  });

  test('finds an import against the direction, even of a type', () => {
    manifest('packages/core', { dependencies: { '@stanzaport/tls-shared': '*' } });
    write('packages/core/src/a.ts', '', "import type { Policy } from '@stanzaport/tls-shared';");
    expect(check()).toEqual({
      code: 1,
      breaches: ['packages/core/src/a.ts:2: core may not import tls-shared: it is not below it'],
    });
  });

  test('finds one transport importing another', () => {
    manifest('packages/tls-transport', { dependencies: { '@stanzaport/quic-transport': '*' } });
    write('packages/tls-transport/src/a.ts', "import { q } from '@stanzaport/quic-transport';");
    expect(check().breaches).toEqual([
      'packages/tls-transport/src/a.ts:1: tls-transport may not import quic-transport: it is not below it',
    ]);
  });

  test('finds the engine outside its room, also as a type', () => {
    write('packages/quic-transport/src/endpoint/a.ts', "import type { native } from '@matrixai/quic';");
    expect(check().breaches).toEqual([
      'packages/quic-transport/src/endpoint/a.ts:1: @matrixai/quic: only quic-transport/src/engine knows the QUIC engine',
    ]);
  });

  test('finds the DI container outside module.ts', () => {
    write('packages/core/src/hub.ts', "import { injectable } from 'inversify';");
    expect(check().breaches).toEqual([
      'packages/core/src/hub.ts:1: inversify: the DI container is touched in module.ts only',
    ]);
  });

  test('finds deep imports, by name and by path', () => {
    write('packages/tls-shared/src/a.ts', "import '@stanzaport/core/src/a.ts';", "import '../../core/src/a.ts';");
    expect(check().breaches).toEqual([
      'packages/tls-shared/src/a.ts:1: @stanzaport/core/src/a.ts reaches into a package; only its index is public',
      'packages/tls-shared/src/a.ts:2: ../../core/src/a.ts leaves the package; import the package by its name',
    ]);
  });

  test('finds what a user would not have installed', () => {
    write('packages/core/src/a.ts', "import pino from 'pino';");
    write('packages/quic-transport/src/a.ts', "import { ca } from '@stanzaport/testing';");
    expect(check().breaches).toEqual([
      'packages/core/src/a.ts:1: pino is not among the dependencies of packages/core/package.json',
      'packages/quic-transport/src/a.ts:1: quic-transport may not import testing: it is not below it',
      'packages/quic-transport/src/a.ts:1: @stanzaport/testing is not among the dependencies of packages/quic-transport/package.json',
    ]);
  });

  test('finds a package that has no place in the order', () => {
    manifest('packages/novel', {});
    expect(check().breaches).toEqual([
      'packages/novel/package.json:1: package novel has no place in the order of packages (MAY_IMPORT)',
    ]);
  });

  test('does not take comments and strings for imports', () => {
    write(
      'packages/core/src/a.ts',
      '/**',
      " * import { x } from 'inversify';",
      ' */',
      "// import y from '@matrixai/quic';",
      "export const text = 'import from inversify';",
    );
    expect(check()).toEqual({ code: 0, breaches: [] });
  });
});
