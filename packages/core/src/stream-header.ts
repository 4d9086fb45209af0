/** The attributes of a stream header (RFC 6120 §4.7), unescaped. Absent ones are undefined. */
export interface StreamHeader {
  /** Content namespace: `jabber:client` or `jabber:server` (RFC 6120 §4.8.2). */
  readonly namespace: string;
  readonly to?: string | undefined;
  readonly from?: string | undefined;
  readonly id?: string | undefined;
  readonly version?: string | undefined;
  /** `xml:lang`. */
  readonly lang?: string | undefined;
}

/** What a caller may set in a header it sends; the rest follows from the stream (see {@link StanzaStream.sendHeader}). */
export type StreamHeaderFields = Partial<Pick<StreamHeader, 'to' | 'from' | 'id' | 'lang'>>;
