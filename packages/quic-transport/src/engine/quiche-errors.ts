import { EngineError, type EngineFailure } from './port.ts';

/** What the binding was doing when it threw: the same text means different things in different calls. */
export type EngineActivity = 'receive' | 'stream' | 'other';

/** Rust names of quiche's errors → what they mean while receiving, in a call on a stream, and anywhere else. */
const FAILURES: Readonly<Record<string, Readonly<Record<EngineActivity, EngineFailure>>>> = {
  BufferTooShort: { receive: 'protocol', stream: 'misuse', other: 'misuse' },
  CongestionControl: { receive: 'protocol', stream: 'misuse', other: 'misuse' },
  CryptoFail: { receive: 'protocol', stream: 'misuse', other: 'misuse' },
  FinalSize: { receive: 'protocol', stream: 'stream-finished', other: 'misuse' },
  FlowControl: { receive: 'protocol', stream: 'misuse', other: 'misuse' },
  IdLimit: { receive: 'protocol', stream: 'misuse', other: 'misuse' },
  InvalidFrame: { receive: 'protocol', stream: 'misuse', other: 'misuse' },
  InvalidPacket: { receive: 'protocol', stream: 'misuse', other: 'misuse' },
  InvalidState: { receive: 'protocol', stream: 'misuse', other: 'misuse' },
  InvalidStreamState: { receive: 'protocol', stream: 'stream-unknown', other: 'misuse' },
  InvalidTransportParam: { receive: 'protocol', stream: 'misuse', other: 'misuse' },
  KeyUpdate: { receive: 'protocol', stream: 'misuse', other: 'misuse' },
  OutOfIdentifiers: { receive: 'protocol', stream: 'misuse', other: 'misuse' },
  StreamLimit: { receive: 'protocol', stream: 'stream-limit', other: 'misuse' },
  StreamReset: { receive: 'protocol', stream: 'stream-reset', other: 'misuse' },
  StreamStopped: { receive: 'protocol', stream: 'stream-stopped', other: 'misuse' },
  TlsFail: { receive: 'tls', stream: 'misuse', other: 'misuse' },
  UnknownVersion: { receive: 'protocol', stream: 'misuse', other: 'misuse' },
};

const FALLBACK: Readonly<Record<EngineActivity, EngineFailure>> = {
  receive: 'protocol',
  stream: 'misuse',
  other: 'misuse',
};

const NAME_AND_CODE = /^([A-Za-z]+)(?:\((\d+)\))?$/;

/** Turns what the binding threw into the one error type that leaves this folder. */
export function toEngineError(thrown: unknown, activity: EngineActivity): EngineError {
  if (thrown instanceof EngineError) return thrown;
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const [, name, code] = NAME_AND_CODE.exec(text) ?? [];
  const failure = (name === undefined ? undefined : FAILURES[name]?.[activity]) ?? FALLBACK[activity];
  const carriesCode = failure === 'stream-reset' || failure === 'stream-stopped';
  // Codes reach 2^62-1 and stand in the text in full: parsed as BigInt, so that rounding happens once, correctly.
  return new EngineError(failure, text, carriesCode ? Number(BigInt(code ?? 0)) : null);
}
