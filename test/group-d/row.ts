import type { Stage, TransportName } from './stage.ts';

/** What one row of group D asks of every transport; the first thing that is wrong throws. */
export interface Row {
  /** ID of the catalogue, such as `CERT-01`. */
  readonly id: string;
  readonly title: string;
  /** Transports that do not have it, each with the reason. */
  readonly without?: Partial<Record<TransportName, string>>;
  readonly run: (stage: Stage) => Promise<void>;
}
