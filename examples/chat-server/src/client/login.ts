import type { Stanza, StanzaStream, StreamEvent } from '@stanzaport/core';
import xml from '@xmpp/xml';
import { NS } from '../namespaces.ts';
import { LoginError, type LoginStage } from './client-error.ts';
import { ScramClient } from './scram-client.ts';

/** Who logs in, and how. */
export interface LoginOptions {
  readonly username: string;
  readonly password: string;
  readonly domain: string;
  /** @defaultValue the server chooses */
  readonly resource?: string;
  /** @defaultValue SCRAM-SHA-256, with channel binding where both sides can */
  readonly mechanism?: 'SCRAM-SHA-256' | 'PLAIN';
}

type Events = AsyncIterator<StreamEvent, undefined>;

/**
 * Header, features, SASL, restart, resource binding (RFC 6120 §4 to §7).
 * @returns the full JID.
 * @throws LoginError; TransportError when the stream ends.
 */
export async function login(stream: StanzaStream, events: Events, options: LoginOptions): Promise<string> {
  const features = await open(stream, events, options);
  await authenticate(stream, events, features, options);
  stream.restart();
  await open(stream, events, options);
  return bind(stream, events, options);
}

async function open(stream: StanzaStream, events: Events, { domain }: LoginOptions): Promise<Stanza> {
  stream.sendHeader({ to: domain });
  const features = await nextStanza(events, 'features');
  if (features.name !== 'features') throw unexpected('features', features);
  return features;
}

async function authenticate(
  stream: StanzaStream,
  events: Events,
  features: Stanza,
  { username, password, mechanism = 'SCRAM-SHA-256' }: LoginOptions,
): Promise<void> {
  const offered = features.element.getChild('mechanisms', NS.sasl)?.getChildren('mechanism') ?? [];
  const names = offered.map((element) => element.getText());
  if (!names.includes(mechanism)) {
    throw new LoginError(
      'authentication',
      null,
      `the server offers no ${mechanism}, but ${names.join(', ') || 'nothing'}`,
    );
  }
  if (mechanism === 'PLAIN') {
    stream.send(sasl('auth', `\0${username}\0${password}`, { mechanism }));
    await expectSasl(events, 'success');
    return;
  }
  const { security } = stream.connection;
  const [type] = security.channelBindings;
  const data = type !== undefined && names.includes('SCRAM-SHA-256-PLUS') ? security.channelBinding(type) : null;
  const binding = type === undefined || data === null ? null : { type, data };
  const scram = new ScramClient({ username, password, binding, couldBind: type !== undefined });
  stream.send(sasl('auth', scram.first(), { mechanism: binding === null ? mechanism : 'SCRAM-SHA-256-PLUS' }));
  const response = await scram.final(await expectSasl(events, 'challenge'));
  if (response === null) throw new LoginError('authentication', null, 'the challenge is not one to answer');
  stream.send(sasl('response', response));
  if (!scram.verify(await expectSasl(events, 'success'))) {
    throw new LoginError('authentication', null, 'the server has not proved that it knows the account');
  }
}

async function bind(stream: StanzaStream, events: Events, { resource }: LoginOptions): Promise<string> {
  const wanted = resource === undefined ? [] : [xml('resource', {}, resource)];
  stream.send(xml('iq', { type: 'set', id: 'bind' }, xml('bind', { xmlns: NS.bind }, ...wanted)));
  const answer = await nextStanza(events, 'binding');
  const jid = answer.element.getChild('bind', NS.bind)?.getChildText('jid');
  if (answer.type === 'result' && jid) return jid;
  throw new LoginError('binding', conditionOf(answer), 'the resource could not be bound');
}

async function expectSasl(events: Events, name: 'challenge' | 'success'): Promise<string> {
  const stanza = await nextStanza(events, 'authentication');
  if (stanza.namespace === NS.sasl && stanza.name === name) {
    return Buffer.from(stanza.element.getText(), 'base64').toString();
  }
  if (stanza.name !== 'failure') throw unexpected('authentication', stanza);
  const condition = stanza.element.getChildElements()[0]?.getName() ?? null;
  throw new LoginError('authentication', condition, `the server refuses the login: ${condition}`);
}

async function nextStanza(events: Events, stage: LoginStage): Promise<Stanza> {
  for (;;) {
    const { value, done } = await events.next();
    if (done || value.type === 'close') throw new LoginError(stage, null, 'the server has closed the stream');
    if (value.type === 'stanza') return value.stanza;
  }
}

function sasl(name: string, text: string, attributes: Record<string, string> = {}): ReturnType<typeof xml> {
  return xml(name, { xmlns: NS.sasl, ...attributes }, Buffer.from(text).toString('base64'));
}

/** The condition of a stanza error (RFC 6120 §8.3.3). */
export function conditionOf({ element }: Stanza): string | null {
  const conditions = element.getChild('error')?.getChildElements() ?? [];
  return conditions.find((child) => child.getNS() === NS.stanzas && child.getName() !== 'text')?.getName() ?? null;
}

function unexpected(stage: LoginStage, { name }: Stanza): LoginError {
  return new LoginError(stage, null, `<${name}/> is not expected here`);
}
