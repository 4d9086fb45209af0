/** The domain whose certificate the servers present. */
export const DOMAIN = 'capulet.example';

/** Size of the stanza most questions are asked with, in bytes. */
export const STANZA_BYTES = 305;

const HEAD =
  "<message to='romeo@montague.example/orchard' from='juliet@capulet.example/balcony' type='chat' id='b4vhs'><body>";
const TAIL = '</body></message>';

/** A chat message of so many bytes. */
export function stanzaOf(bytes: number): string {
  return HEAD + 'x'.repeat(bytes - HEAD.length - TAIL.length) + TAIL;
}
