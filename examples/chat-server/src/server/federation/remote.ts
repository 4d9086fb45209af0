/** Where the server of another domain is, and over what it is reached. */
export interface Remote {
  /** Name of a bound transport. */
  readonly transport: string;
  /** Host name or IP address. @defaultValue the domain itself */
  readonly host?: string;
  /** @defaultValue the transport's own default port */
  readonly port?: number;
}
