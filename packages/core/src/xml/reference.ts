import { codePointAt, isCharacter, isNameCharacter, isNameStart } from './characters.ts';
import { refuse } from './refuse.ts';
import { PREDEFINED_ENTITIES } from './values.ts';

const HASH = 0x23;
const SEMICOLON = 0x3b;
const LOWER_X = 0x78;

/**
 * Judges one reference byte by byte, behind its `&`: predefined entities and character references are good, other
 * entities are refused at the first byte that makes them such (RFC 6120 §11.1).
 */
export class Reference {
  #form: 'entity' | 'decimal' | 'hexadecimal' = 'entity';
  #name = '';
  #digits = 0;
  #code = 0;

  begin(): void {
    this.#form = 'entity';
    this.#name = '';
    this.#digits = 0;
    this.#code = 0;
  }

  /** Takes the byte at `index`; true when it ended the reference. */
  accept(bytes: Uint8Array, index: number): boolean {
    const byte = bytes[index] as number;
    if (this.#form === 'entity') return this.#acceptName(bytes, index, byte);
    if (byte === LOWER_X && this.#form === 'decimal' && this.#digits === 0) {
      this.#form = 'hexadecimal';
      return false;
    }
    return byte === SEMICOLON ? this.#endNumber() : this.#acceptDigit(byte);
  }

  #acceptName(bytes: Uint8Array, index: number, byte: number): boolean {
    if (byte === HASH && this.#name === '') {
      this.#form = 'decimal';
      return false;
    }
    if (byte === SEMICOLON && PREDEFINED_ENTITIES.has(this.#name)) return true;
    const name = this.#name + String.fromCharCode(byte);
    if (byte < 0x80 && isBeginningOfEntity(name)) {
      this.#name = name;
      return false;
    }
    const code = codePointAt(bytes, index);
    const isName = this.#name === '' ? isNameStart(code) : isNameCharacter(code) || byte === SEMICOLON;
    return isName
      ? refuse('restricted-xml', 'an entity that is not predefined')
      : refuse('not-well-formed', 'a bare ampersand');
  }

  #acceptDigit(byte: number): boolean {
    const base = this.#form === 'decimal' ? 10 : 16;
    const digit = digitOf(byte);
    if (digit >= base) refuse('not-well-formed', 'a character reference without a number');
    this.#digits++;
    this.#code = this.#code * base + digit;
    if (this.#code > 0x10ffff) refuse('not-well-formed', 'a reference to no character');
    return false;
  }

  #endNumber(): boolean {
    if (this.#digits === 0 || !isCharacter(this.#code)) refuse('not-well-formed', 'a reference to no character');
    return true;
  }
}

function isBeginningOfEntity(name: string): boolean {
  for (const entity of PREDEFINED_ENTITIES.keys()) if (entity.startsWith(name)) return true;
  return false;
}

function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : Number.POSITIVE_INFINITY;
}
