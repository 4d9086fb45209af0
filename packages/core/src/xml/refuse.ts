import { StreamError, type StreamErrorCondition } from '../stream-error.ts';

/** Ends the reading of a document; {@link XmlStreamReader} catches it and tells its sink. */
export function refuse(condition: StreamErrorCondition, text: string): never {
  throw new StreamError(condition, { text });
}

/** The element in progress is over the limit (RFC 6120 §13.12); the application condition is that of XEP-0205 §4.5. */
export function refuseSize(): never {
  throw new StreamError('policy-violation', {
    text: 'the element is too big',
    applicationCondition: { name: 'stanza-too-big', namespace: 'urn:xmpp:errors' },
  });
}
